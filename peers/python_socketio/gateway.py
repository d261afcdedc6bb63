"""A chat gateway of python-socketio with its Redis manager, as its documentation sets one up.

`python -m peers.python_socketio.gateway`, told on standard input what peers/interface.py says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import socketio

from peers.python_server import serve, stats_page

ANSWER = {"ignore_queue": True}  # to one member who is here: not by way of Redis


def main() -> None:
    settings = json.load(sys.stdin)
    manager = socketio.AsyncRedisManager(settings["services"]["redis_url"], channel=settings["topology"]["run_id"])
    server = socketio.AsyncServer(
        async_mode="asgi",
        client_manager=manager,
        transports=["websocket"],
        max_http_buffer_size=settings["limits"]["message_max_bytes"],
    )

    async def obey(member: str, frame: Mapping[str, Any]) -> None:
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
                error = {"t": "error", "code": "bad_frame", "reason": "no frame of chatbench"}
                await server.emit("frame", error, to=member, **ANSWER)

    def counted() -> tuple[int, int]:
        rooms = manager.rooms.get("/", {})
        members = len(rooms.get(None, {}))  # the room of everybody
        return members, len(rooms) - members - bool(members)  # each member is also a room of its own

    server.on("frame", obey)
    serve(socketio.ASGIApp(server, stats_page(counted)), settings)


if __name__ == "__main__":
    main()
