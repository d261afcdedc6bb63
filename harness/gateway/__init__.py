"""The WebSocket gateway: one process, one architecture, many members."""
