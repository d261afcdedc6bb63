"""The process that holds the members' sockets. It runs on asyncio alone, without gevent."""
