"""The load: Locust members, the process that holds their sockets, and the ledger of who must get what."""
