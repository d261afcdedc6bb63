"""An embedded NATS server."""
