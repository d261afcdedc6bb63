"""Services and gateways that run until they are interrupted."""
