"""Services and gateways that stay until they are interrupted."""
