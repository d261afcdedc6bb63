"""Services that a `chatbench up` keeps running, lent to one run at a time beside it.

`up` describes them in a file of its temporary folder, which is removed with it. A run takes them if they are what it
needs. It measures them like its own, but never stops them, and never breaks them: a run with faults starts its own.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec
import psutil

from architectures.interface import Requirements, Services
from harness.core.errors import ServiceFailed
from harness.services.backend import Backend
from harness.services.backends import Backends, merged, required_types
from harness.services.workdir import PREFIX
from peers.interface import OnProgress

FILE = "standing.json"


class _Standing(msgspec.Struct, frozen=True):
    pid: int  # of `chatbench up`
    backends: dict[str, msgspec.Raw]  # their descriptions, by BackendType.name


@dataclass(frozen=True, slots=True)
class LentBackends:
    """Backends for one run that run already, and go on when it is over. `stop` gives them back."""

    lender: int  # the process id of `chatbench up`
    running: Sequence[Backend]
    _taken: TextIO

    @property
    def starting(self) -> str:
        """What a run starts, for people."""
        return "driver, on the services of `chatbench up`"

    def begin(self, on_progress: OnProgress) -> None:
        """They have begun already."""

    def finish(self) -> None:
        """Raise ServiceFailed if one of their processes has ended: a run does not start it again."""
        self.check()

    def of(self, requires: Requirements) -> list[Backend]:
        """Those that an architecture with these requirements uses."""
        return [backend for backend in self.running if getattr(requires, backend.type.name)]

    def services_for(self, requires: Requirements) -> Services:
        """Where they are, for an architecture with these requirements."""
        return merged(backend.services for backend in self.of(requires))

    def whose(self, requires: Requirements) -> str:
        """Who runs them, as summary.json says it."""
        return "chatbench up"

    def external_settings(self, requires: Requirements) -> Mapping[str, str]:
        """None: what is lent runs on this host, with chatbench's own settings."""
        return {}

    def check(self) -> None:
        """Raise ServiceFailed if one of their processes has ended."""
        for backend in self.running:
            backend.check()

    def forget(self, run_id: str) -> None:
        """What a run made is removed with everything else when `chatbench up` ends."""

    def stop(self) -> None:
        """Give them back."""
        self._taken.close()


def offer(backends: Backends) -> None:
    """Describe them for runs beside this process, in the folder that is removed when they stop."""
    described = {backend.type.name: msgspec.Raw(backend.servers.described()) for backend in backends.running}
    standing = _Standing(pid=os.getpid(), backends=described)
    assert backends.workdir is not None
    incomplete = backends.workdir / f".{FILE}"
    incomplete.write_bytes(msgspec.json.encode(standing))
    incomplete.rename(backends.workdir / FILE)


def borrow(requires: Requirements, brokers: int) -> LentBackends | None:
    """The backends that are required, with so many brokers; None if no `chatbench up` has them, or they are taken."""
    for file in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*/{FILE}")):
        try:
            lent = _borrow_from(file, requires, brokers)
        except (OSError, msgspec.DecodeError, psutil.NoSuchProcess, ServiceFailed):
            continue  # that `chatbench up` is just ending, or was killed
        if lent is not None:
            return lent
    return None


def _borrow_from(file: Path, requires: Requirements, brokers: int) -> LentBackends | None:
    if file.stat().st_uid != os.getuid():
        return None  # all users share the folder: only files of this user can be trusted
    standing = msgspec.json.decode(file.read_bytes(), type=_Standing)
    types = required_types(requires)
    if any(each.name not in standing.backends for each in types):
        return None
    found = [each.borrow(bytes(standing.backends[each.name]), standing.pid, brokers) for each in types]
    running = [Backend(each, servers) for each, servers in zip(types, found, strict=True) if servers is not None]
    if len(running) < len(types):
        return None
    taken = file.open()
    try:
        fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the file is closed, or this process ends
        lent = LentBackends(standing.pid, running, taken)
        lent.check()
    except BaseException:
        taken.close()
        raise
    return lent
