"""The processes a run needs: brokers, Redis, gateways. Each is a child that dies with its parent."""
