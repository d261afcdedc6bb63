"""The interface between a run and a peer: a chat gateway that others have written, with a backend behind it.

A peer is not an architecture in chatbench's gateway: its own program holds the sockets and knows the rooms. Here is the
smallest chat one would write with it, so that the same members can be driven at it and the same ledger kept. Its
program

- reads one JSON object from its standard input: where to listen (`exposure.bind`, `port`), its `index`, where Redis is
  (`services.redis_url`), a prefix for whatever it makes there (`topology.run_id`), and its `topology.options`;
- answers `GET /stats` as soon as it serves, with how many `members` and `rooms` it has;
- answers members' frames (harness/core/protocol.py), in its own way of carrying them: see `Peer.scheme`.
"""

from __future__ import annotations

import importlib.util
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from architectures.interface import Candidate, Promises, Services, Topology

# What all of them say of themselves: a message reaches everybody in a room, in order, as long as nothing breaks.
AT_MOST_ONCE = Promises(everyone=True, once=True, ordered=True, durable_ack=False)
OnProgress = Callable[[str, int, int], None]  # what is being made ready, how far it is, of how much


class NotInstalled(Exception):
    """What a peer needs is missing and could not be had; the message is for the user."""


class Peer(Candidate):
    """One gateway of somebody else's. Never instantiated: its program is a process of its own."""

    # How members speak with it, as the scheme of its addresses. "ws": text frames over a WebSocket, one each;
    # "socket.io": the same as events of Socket.IO.
    scheme: ClassVar[str]

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """What keeps it from running here, and what to do about it, in one sentence; None where nothing does."""

    @classmethod
    @abstractmethod
    def program(cls, cache: Path, on_progress: OnProgress) -> Sequence[str]:
        """The command that serves. What must be downloaded first goes under `cache`; raises NotInstalled."""

    @classmethod
    @abstractmethod
    def versions(cls) -> Mapping[str, str]:
        """Of what it is made of, by name, for the record. Called only where nothing is missing."""

    @classmethod
    def check(cls, topology: Topology) -> None:
        """Any shape will do."""

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Nothing to make: all of them only use what Redis has."""


def python_program(module: str) -> Sequence[str]:
    """A peer that is written in Python runs in the same one."""
    return (sys.executable, "-m", module)


def package_versions(*packages: str) -> Mapping[str, str]:
    """As Peer.versions, of Python packages."""
    return {package: version(package) for package in packages}


def missing_packages(name: str, *packages: str) -> str | None:
    """As Peer.missing, of one whose packages are an extra of chatbench."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    if not absent:
        return None
    return (
        f"{name} needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not installed; "
        "pip install 'chatbench[peers]'"
    )
