"""A page to chat with, and to see the way of each message: `chatbench chat`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from architectures.interface import Architecture, Topology
from architectures.routes import Scene
from harness.core.protocol import ROOM_CHARS_MAX
from harness.gateway.admission import Query

PAGE = Path(__file__).with_name("chat.html")


@cache
def chat_page() -> str:
    return PAGE.read_text(encoding="utf-8")


def route(architecture: type[Architecture], topology: Topology, query: Query) -> str:
    """The route of a message for ?room=&sender=&listening=, as JSON. What is no gateway of this topology is left out.

    Where rooms have owners, whoever listens is at the owner by now.
    """
    room = query.get("room", ["room"])[0][:ROOM_CHARS_MAX]
    sender = _gateways(query.get("sender", [""])[0], topology) or [0]
    listening = _gateways(query.get("listening", [""])[0], topology) or [0]
    partitions = topology.gateways if topology.partitions is None else topology.partitions
    shown = architecture.route(Scene(topology.gateways, partitions, room, sender[0], listening, owner=listening[0]))
    told = {
        "arrows": list(shown.arrows()),
        "heard": shown.heard,
        "idle": shown.idle,
        "unreached": shown.unreached,
    }
    return msgspec.json.encode(told).decode()


def _gateways(text: str, topology: Topology) -> list[int]:
    known = {str(gateway): gateway for gateway in range(topology.gateways)}
    return list(dict.fromkeys(known[each] for each in text.split(",") if each in known))
