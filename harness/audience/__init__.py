"""The process that holds the sockets of members: asyncio alone, no gevent."""
