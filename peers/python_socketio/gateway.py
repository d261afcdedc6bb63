"""A chat gateway of python-socketio with its Redis manager, set up as its documentation says.

Run it with `python -m peers.python_socketio.gateway`; peers/interface.py describes its standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import socketio

from peers.python_server import serve, stats_page

ANSWER = {"ignore_queue": True}  # an answer to a local member does not go through Redis


def main() -> None:
    settings = json.load(sys.stdin)
    manager = socketio.AsyncRedisManager(settings["services"]["redis_url"], channel=settings["topology"]["run_id"])
    server = socketio.AsyncServer(
        async_mode="asgi",
        client_manager=manager,
        transports=["websocket"],
        max_http_buffer_size=settings["limits"]["message_max_bytes"],
    )

    async def handle(member: str, frame: Mapping[str, Any]) -> None:
        match frame:
            case {"t": "join", "room": str(room)}:
                await server.enter_room(member, room)
                await server.emit("frame", {"t": "joined", "room": room}, to=member, **ANSWER)
            case {"t": "leave", "room": str(room)}:
                await server.leave_room(member, room)
            case {"t": "say", "room": str(room), "id": int(number), "text": str(text)}:
                sent = frame.get("sent")
                chat = {"t": "chat", "room": room, "from": member, "id": number, "sent": sent, "text": text}
                await server.emit("frame", chat, room=room)
                await server.emit("frame", {"t": "ack", "id": number}, to=member, **ANSWER)
            case _:
                error = {"t": "error", "code": "bad_frame", "reason": "not a frame of chatbench"}
                await server.emit("frame", error, to=member, **ANSWER)

    def count() -> tuple[int, int]:
        rooms = manager.rooms.get("/", {})
        members = len(rooms.get(None, {}))  # the room that contains every member
        return members, len(rooms) - members - bool(members)  # each member also has a room of its own

    server.on("frame", handle)
    serve(socketio.ASGIApp(server, stats_page(count)), settings)


if __name__ == "__main__":
    main()
