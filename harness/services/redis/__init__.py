"""An embedded Redis, alone or as a cluster."""
