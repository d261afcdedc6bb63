"""The interface between a run and a peer: a chat gateway of another project, with its own backend.

A peer is not an architecture in chatbench's gateway: its own program holds the sockets and knows the rooms. Each peer
is the smallest chat that one would write with that project, and is driven by the same members and judged by the same
ledger. Its program

- reads one JSON object from standard input, with its address (`exposure.bind`, `port`), its `index`, the address of
  Redis (`services.redis_url`), a prefix for the names that it uses there (`topology.run_id`), and its
  `topology.options`;
- answers `GET /stats` as soon as it serves, with its numbers of `members` and `rooms`;
- answers members' frames (harness/core/protocol.py), in the form that `Peer.scheme` names.
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

# The promise of all peers: a message reaches everybody in a room, in order, as long as nothing fails.
AT_MOST_ONCE = Promises(everyone=True, once=True, ordered=True, durable_ack=False)
OnProgress = Callable[[str, int, int], None]  # called with what is being prepared, how much is done, and the total


class NotInstalled(Exception):
    """A peer could not be installed; the message is for the user."""


class Peer(Candidate):
    """A gateway of another project. It is never instantiated, because its program runs in its own process."""

    # The scheme of its addresses. "ws": each frame is a text frame of a WebSocket; "socket.io": each frame is an event
    # of Socket.IO.
    scheme: ClassVar[str]

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Return one sentence about what is missing to run it here and what to do; None if nothing is missing."""

    @classmethod
    @abstractmethod
    def program(cls, cache: Path, on_progress: OnProgress) -> Sequence[str]:
        """Return the command that starts it. Downloads go under `cache` first; raises NotInstalled."""

    @classmethod
    @abstractmethod
    def versions(cls) -> Mapping[str, str]:
        """Return the versions of its parts by name, for the record. Called only if nothing is missing."""

    @classmethod
    def check(cls, topology: Topology) -> None:
        """Accept any topology."""

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Do nothing: the peers need no preparation of Redis."""


def python_program(module: str) -> Sequence[str]:
    """Return the command of a peer in Python, which runs with the same interpreter as chatbench."""
    return (sys.executable, "-m", module)


def package_versions(*packages: str) -> Mapping[str, str]:
    """Return the versions of Python packages, for Peer.versions."""
    return {package: version(package) for package in packages}


def missing_packages(name: str, *packages: str) -> str | None:
    """Return the sentence for Peer.missing about a peer whose packages are an extra of chatbench."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    if not absent:
        return None
    return (
        f"{name} needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not installed; "
        "pip install 'chatbench[peers]'"
    )
