"""A page to chat with, and to see the way of each message: `chatbench chat`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from architectures.interface import Topology
from architectures.routes import Scene, way_of
from harness.core.protocol import ROOM_CHARS_MAX
from harness.gateway.admission import Query

PAGE = Path(__file__).with_name("chat.html")


@cache
def chat_page() -> str:
    return PAGE.read_text(encoding="utf-8")


def way(arch: str, topology: Topology, query: Query) -> str:
    """The diagram for ?room=&sender=&listening=, as JSON. What is no gateway of this topology is left out.

    Where rooms have owners, whoever listens is at the owner by now.
    """
    room = query.get("room", ["room"])[0][:ROOM_CHARS_MAX]
    sender = _gateways(query.get("sender", [""])[0], topology) or [0]
    listening = _gateways(query.get("listening", [""])[0], topology) or [0]
    diagram = way_of(arch, Scene(topology, room, sender[0], listening, owner=listening[0]))
    told = {
        "arrows": list(diagram.arrows()),
        "heard": diagram.heard,
        "idle": diagram.idle,
        "unreached": diagram.unreached,
    }
    return msgspec.json.encode(told).decode()


def _gateways(text: str, topology: Topology) -> list[int]:
    known = {str(gateway): gateway for gateway in range(topology.gateways)}
    return list(dict.fromkeys(known[each] for each in text.split(",") if each in known))
