"""Generates docs/architectures.md from the docstrings of the architectures' modules.

python -m tools.docs.architecture_page > docs/architectures.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from architectures.interface import Candidate, Role
from harness.core.registry import load_candidate, named, peer_names
from harness.experiments.costs.workload import Transfers

ROLES = (Role.CANDIDATE, Role.ALTERNATIVE, Role.CONTROL, Role.FLOOR)  # in the order of the sections
GATEWAYS, LISTENING = 4, 2  # the table's example: all gateways, and those with members of the room
HEAD = """\
# The architectures

Each section is the docstring of the architecture's module, and each diagram shows the route of one message by the
architecture's own rules for partitions. If the architecture does not place rooms itself, the room has members on
gateways 0 and 2. Dashed arrows are copies that reach a gateway with no member in the room. A test fails if a docstring,
a diagram or the table differs from the code.

[comparison.md](comparison.md) measures what each costs, [faults.md](faults.md) what breaks it, and
[guide.md](guide.md) says which one suits which chat.
"""

PEERS_HEAD = """\

## Peers

Peers are gateways of other projects, for comparison. Each holds the sockets and keeps the rooms itself, and runs the
smallest chat that one would write for it, set up as its documentation says. Their costs are in
[comparison.md](comparison.md#beside-what-people-use-today)."""

NOT_HERE = """\

## What is not here, and why

**Kafka's share groups** (KIP-932, a queue on top of a topic). A share group gives each record to *one* of its
consumers, which acknowledges or releases it, and any number of consumers may read from one partition. That suits a
queue of jobs. For chat it is `naive` without the partitions: only one gateway of the group hears each message. With a
share group for each gateway, every gateway would hear every message, as with `kafka-broadcast`. That architecture does
the same with ordinary consumer groups, keeps the order within each room, and needs no state in the brokers for each
record in flight. Neither the locks nor the redeliveries of share groups deliver a message to one more member, so they
have nothing to measure that these two do not show.
"""


def page() -> str:
    sections = (line for role in ROLES for name in named(role) for line in _section(load_candidate(name)))
    peers = (line for name in peer_names() for line in _section(load_candidate(name), diagram=False))
    return "\n".join([HEAD, *_table(), *sections, NOT_HERE + PEERS_HEAD, *peers]) + "\n"


def _table() -> Iterator[str]:
    yield f"For one message, with {GATEWAYS} gateways and members of its room on {LISTENING} of them:\n"
    yield "| | Kafka records | records read | commands | copies that reach a gateway | of these wasted |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in (name for role in ROLES for name in named(role) if load_candidate(name).requires.any_backend):
        each = Transfers.of(name, GATEWAYS, LISTENING)
        # If one gateway serves a room, all its members are on that gateway.
        wasted = max(0.0, each.copies - LISTENING)
        yield f"| {name} | {' | '.join(f'{count:g}' for count in (*each, wasted))} |"


def _section(architecture: type[Candidate], *, diagram: bool = True) -> Iterator[str]:
    module = sys.modules[architecture.__module__]
    title, _, explanation = (inspect.getdoc(module) or "").partition("\n")
    yield f"\n## {architecture.name}\n"
    summary = title.partition(": ")[2].rstrip(".")
    yield f"**{summary[:1].upper()}{summary[1:]}.**\n"
    if diagram:
        yield f"![The route of one message](diagrams/{architecture.name}.png)\n"
    yield _without_diagram(explanation.strip("\n"))
    promises = architecture.promises
    promised = [
        *(["every member hears every acked message"] if promises.everyone else []),
        *(["no message is delivered twice"] if promises.once else []),
        *(["each sender's messages stay in order"] if promises.ordered else []),
        *(["acked messages survive a restart of the backend"] if promises.durable_ack else []),
        *(["returning members receive the messages they missed"] if promises.history else []),
    ]
    yield f"\nIt promises: {', '.join(promised) or 'nothing'}."
    if promises.survives:
        yield f"The promises also hold under: {', '.join(f'`{fault}`' for fault in promises.survives)}."
    options = ", ".join(f"`{name}={value}`" for name, value in architecture.options.items())
    if options:
        yield f"Its options (`--arch-set`) with their defaults: {options}."


def _without_diagram(text: str) -> str:
    """Leave out the indented blocks: the diagrams that docstrings draw with characters."""
    return "\n\n".join(block for block in text.split("\n\n") if not block.startswith("    "))


if __name__ == "__main__":
    sys.stdout.write(page())
