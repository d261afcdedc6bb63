"""The server that the peers in Python run on, and its /stats page."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import psutil
import uvicorn

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def serve(application: Any, settings: Mapping[str, Any]) -> None:
    """Serve the ASGI application until SIGTERM, with the settings that peers/interface.py describes."""
    uvicorn.run(
        application,
        host=settings["exposure"]["bind"],
        port=settings["port"],
        ws_max_size=settings["limits"]["message_max_bytes"],
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


def stats_page(count: Callable[[], tuple[int, int]]) -> Asgi:
    """Return an ASGI application that answers GET /stats; `count` returns the numbers of members and rooms."""
    this = psutil.Process()

    def stats() -> bytes:
        members, rooms = count()
        values = {
            "process": str(os.getpid()),
            "cpu_s": time.process_time(),
            "rss_bytes": this.memory_info().rss,
            "members": members,
            "rooms": rooms,
            "counts": {},
        }
        return json.dumps(values).encode()

    async def application(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        if not _called_by_address(scope):
            status, body = 403, b"this server is not known by that host name; use its IP address or localhost\n"
        else:
            status, body = (200, stats()) if scope["path"] == "/stats" else (404, b"")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return application


def _called_by_address(scope: Message) -> bool:
    """Whether Host is an IP address or localhost. A web page can rebind its own name to this machine."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return all(re.fullmatch(r"(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?", host) for host in hosts)
