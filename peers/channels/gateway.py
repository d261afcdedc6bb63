"""A chat gateway of Django Channels with channels_redis, set up as its documentation says.

Run it with `python -m peers.channels.gateway`; peers/interface.py describes its standard input.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from django.conf import settings as django_settings

from peers.channels.peer import LAYERS
from peers.python_server import serve, stats_page


class Member(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """One connection."""

    here: ClassVar[Counter[str]] = Counter()  # members of each room at this gateway
    connected: ClassVar[int] = 0

    async def connect(self) -> None:
        Member.connected += 1
        self.joined: set[str] = set()
        await self.accept()

    async def disconnect(self, code: int) -> None:
        Member.connected -= 1
        for room in list(self.joined):
            await self._leave(room)

    async def receive_json(self, frame: Mapping[str, Any]) -> None:
        match frame:
            case {"t": "join", "room": str(room)}:
                await self._join(room)
                await self.send_json({"t": "joined", "room": room})
            case {"t": "leave", "room": str(room)}:
                await self._leave(room)
            case {"t": "say", "room": str(room), "id": int(number), "text": str(text)}:
                sender, sent = self.channel_name, frame.get("sent")
                chat = {"t": "chat", "room": room, "from": sender, "id": number, "sent": sent, "text": text}
                await self.channel_layer.group_send(group(room), {"type": "chat", "frame": chat})
                await self.send_json({"t": "ack", "id": number})
            case _:
                await self.send_json({"t": "error", "code": "bad_frame", "reason": "not a frame of chatbench"})

    async def chat(self, event: Mapping[str, Any]) -> None:
        """Pass on a message that arrived from group_send."""
        await self.send_json(event["frame"])

    async def _join(self, room: str) -> None:
        if room not in self.joined:
            self.joined.add(room)
            Member.here[room] += 1
            await self.channel_layer.group_add(group(room), self.channel_name)

    async def _leave(self, room: str) -> None:
        if room in self.joined:
            self.joined.remove(room)
            Member.here[room] -= 1
            await self.channel_layer.group_discard(group(room), self.channel_name)


def group(room: str) -> str:
    """Return the group's name. A room may have any name, but a group's must be short, with only a few characters."""
    return hashlib.sha256(room.encode()).hexdigest()[:32]


def main() -> None:
    settings = json.load(sys.stdin)
    topology = settings["topology"]
    layer = {
        "BACKEND": LAYERS[topology["options"]["layer"]],
        "CONFIG": {"hosts": [settings["services"]["redis_url"]], "prefix": topology["run_id"]},
    }
    django_settings.configure(SECRET_KEY=secrets.token_hex(), CHANNEL_LAYERS={"default": layer})

    def count() -> tuple[int, int]:
        return Member.connected, sum(count > 0 for count in Member.here.values())

    serve(ProtocolTypeRouter({"http": stats_page(count), "websocket": Member.as_asgi()}), settings)


if __name__ == "__main__":
    main()
