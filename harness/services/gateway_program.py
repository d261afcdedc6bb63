"""The program that a run's gateways are: chatbench's own, or a peer's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from architectures.interface import Contender
from harness.core.errors import ServiceFailed
from harness.services.kafka.install import Progress
from harness.services.kafka.jars import cache_dir
from peers.interface import NotInstalled, Peer


@dataclass(frozen=True, slots=True)
class Program:
    """It reads GatewaySettings on its standard input."""

    argv: Sequence[str]
    scheme: str  # of its addresses: how members speak with it


OWN = Program((sys.executable, "-m", "harness.gateway"), "ws")


def program_of(contender: type[Contender], on_progress: Progress) -> Program:
    """With what it needs downloaded. Raises ServiceFailed."""
    if not issubclass(contender, Peer):
        return OWN
    try:
        return Program(contender.program(cache_dir().parent / "peers", on_progress), contender.scheme)
    except NotInstalled as problem:
        raise ServiceFailed(str(problem)) from problem
