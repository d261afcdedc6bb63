"""docs/architectures.md, made of the architectures' own explanations.

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
GATEWAYS, LISTENING = 4, 2  # of the example: all gateways, and those with members of the room
HEAD = """\
# The architectures

Each section is its module's own explanation, and each diagram the route of one message by the architecture's own rules
for partitions. Where any gateway will do, the room has members on gateways 0 and 2. Dashed is what reaches a gateway
that has nobody in the room. A test fails when explanation, diagram or table differ from the code.

What each costs is measured in [comparison.md](comparison.md), what breaks it in [faults.md](faults.md), and where it
belongs is in [guide.md](guide.md).
"""

PEERS_HEAD = """\

## Peers

Gateways of others, to compare with: each holds the sockets and knows the rooms itself, with the smallest chat one would
write for it, set up as its documentation does. What they cost beside the architectures is in
[comparison.md](comparison.md#beside-what-people-use-today)."""

NOT_HERE = """\

## What is not here, and why

**Kafka's share groups** (KIP-932, a queue on top of a topic). A share group gives each record to *one* of its
consumers, who acknowledges or releases it; any number of consumers may take from one partition. For work that somebody
has to do that is what one wants. For chat it is `naive` without the partitions: of a group of gateways one hears each
message. With a share group for each gateway everybody would hear everything, as with `kafka-broadcast`, which gets the
same from ordinary groups with the order of each room kept, and without the state that brokers keep of each record in
flight. Neither the locks nor the redeliveries bring a message to one more member, so there is nothing to measure here
that these two do not show.
"""


def page() -> str:
    sections = (line for role in ROLES for name in named(role) for line in _section(load_candidate(name)))
    peers = (line for name in peer_names() for line in _section(load_candidate(name), diagram=False))
    return "\n".join([HEAD, *_table(), *sections, NOT_HERE + PEERS_HEAD, *peers]) + "\n"


def _table() -> Iterator[str]:
    yield f"Of one message, with {GATEWAYS} gateways and members of its room on {LISTENING} of them:\n"
    yield "| | Kafka records | records read | commands | copies that reach a gateway | of these wasted |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in (name for role in ROLES for name in named(role) if load_candidate(name).requires.any_backend):
        each = Transfers.of(name, GATEWAYS, LISTENING)
        # Where a room is served by one gateway, its members are there.
        wasted = max(0.0, each.copies - LISTENING)
        yield f"| {name} | {' | '.join(f'{count:g}' for count in (*each, wasted))} |"


def _section(architecture: type[Candidate], *, diagram: bool = True) -> Iterator[str]:
    module = sys.modules[architecture.__module__]
    title, _, explanation = (inspect.getdoc(module) or "").partition("\n")
    yield f"\n## {architecture.name}\n"
    told = title.partition(": ")[2].rstrip(".")
    yield f"**{told[:1].upper()}{told[1:]}.**\n"
    if diagram:
        yield f"![The route of one message](diagrams/{architecture.name}.png)\n"
    yield _without_diagram(explanation.strip("\n"))
    promises = architecture.promises
    kept = [
        *(["every member hears what was acked"] if promises.everyone else []),
        *(["nothing comes twice"] if promises.once else []),
        *(["each sender's messages stay in order"] if promises.ordered else []),
        *(["an ack outlives the backend"] if promises.durable_ack else []),
        *(["who comes back is told what was said meanwhile"] if promises.history else []),
    ]
    yield f"\nIt promises: {', '.join(kept) or 'nothing'}."
    if promises.survives:
        yield f"Also under: {', '.join(f'`{fault}`' for fault in promises.survives)}."
    options = ", ".join(f"`{name}={value}`" for name, value in architecture.options.items())
    if options:
        yield f"Its options (`--arch-set`), as they are if not said otherwise: {options}."


def _without_diagram(text: str) -> str:
    """The one in a docstring is made of characters."""
    return "\n\n".join(block for block in text.split("\n\n") if not block.startswith("    "))


if __name__ == "__main__":
    sys.stdout.write(page())
