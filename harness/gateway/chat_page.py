"""The web page of `chatbench chat`, on which people chat and see the route of each message."""

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
    """Return the route of a message for ?room=&sender=&listening=, as JSON. Unknown gateways are ignored.

    If rooms have owners, all listeners are at the owner, because gateways redirect them there.
    """
    room = query.get("room", ["room"])[0][:ROOM_CHARS_MAX]
    sender = _gateways(query.get("sender", [""])[0], topology) or [0]
    listening = _gateways(query.get("listening", [""])[0], topology) or [0]
    partitions = topology.gateways if topology.partitions is None else topology.partitions
    drawn = architecture.route(Scene(topology.gateways, partitions, room, sender[0], listening, owner=listening[0]))
    diagram = {
        "arrows": list(drawn.arrows()),
        "heard": drawn.heard,
        "idle": drawn.idle,
        "unreached": drawn.unreached,
    }
    return msgspec.json.encode(diagram).decode()


def _gateways(text: str, topology: Topology) -> list[int]:
    known = {str(gateway): gateway for gateway in range(topology.gateways)}
    return list(dict.fromkeys(known[each] for each in text.split(",") if each in known))
