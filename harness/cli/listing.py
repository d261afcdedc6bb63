"""The answer of `chatbench list`: architectures, peers and scenarios, with their options."""

from __future__ import annotations

from typing import Any

import msgspec

from architectures.interface import Candidate, Role
from harness.core import registry
from peers.interface import Peer

BACKENDS = ("kafka", "redis", "redis_cluster", "nats")


class ListedArchitecture(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture or peer that --arch accepts."""

    name: str
    is_peer: bool  # a gateway of another project
    role: str  # as in architectures.interface.Role; a "candidate" is compared by default
    needs: list[str]  # a subset of BACKENDS
    summary: str
    options: dict[str, Any]  # options for --arch-set, with their defaults


class ListedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that --scenario accepts."""

    name: str
    summary: str
    options: dict[str, Any]  # options for --set, with their defaults


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `chatbench list` shows."""

    architectures: list[ListedArchitecture]
    scenarios: list[ListedScenario]


def listing() -> Listing:
    """Return all architectures and scenarios. Of the architectures, candidates come first and peers last."""
    names = (*(name for role in Role for name in registry.named(role)), *registry.peer_names())
    return Listing(
        architectures=[_architecture(name, registry.load_candidate(name)) for name in names],
        scenarios=[
            ListedScenario(name=name, summary=registry.scenario_summary(path), options=registry.scenario_options(path))
            for name, path in registry.scenario_files().items()
        ],
    )


def _architecture(name: str, candidate: type[Candidate]) -> ListedArchitecture:
    return ListedArchitecture(
        name=name,
        is_peer=issubclass(candidate, Peer),
        role="peer" if issubclass(candidate, Peer) else str(candidate.role),
        needs=[backend for backend in BACKENDS if getattr(candidate.requires, backend)],
        summary=candidate.summary,
        options=dict(candidate.options),
    )
