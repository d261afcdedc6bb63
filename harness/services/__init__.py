"""The processes that a run needs: its backends and its gateways. Each is a child that dies with its parent."""
