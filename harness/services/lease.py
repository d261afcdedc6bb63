"""Services that a `chatbench up` keeps running, lent to one run at a time beside it.

`up` describes them in a file of its temporary folder, which goes with it. A run takes them when they are what it needs.
They are measured as its own would be, but never stopped by it, and never broken: a run with faults starts its own.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec
import psutil

from architectures.interface import Requirements, Services
from harness.core.errors import ServiceFailed
from harness.services.backends import Backends
from harness.services.kafka.broker import Broker, Installation
from harness.services.kafka.cluster import Kafka
from harness.services.nats.server import NatsServer
from harness.services.processes import Child
from harness.services.proxy import Proxy
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.server import RedisServer
from harness.services.workdir import PREFIX
from peers.interface import OnProgress

FILE = "standing.json"


class _Kafka(msgspec.Struct, frozen=True):
    installation: Installation
    brokers: list[Broker]
    pids: list[int]


class _Redis(msgspec.Struct, frozen=True):
    port: int
    pid: int
    log: Path


class _Standing(msgspec.Struct, frozen=True):
    pid: int  # of `chatbench up`
    kafka: _Kafka | None
    redis: _Redis | None


class Borrowed(Child):
    """A process that is another's child."""

    def __init__(self, name: str, pid: int, log: Path, lender: int) -> None:
        self._process = psutil.Process(pid)
        self.name = f"{name} of the `chatbench up` with process id {lender}"
        self.log = log
        self._reasons = ()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        try:
            return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:  # it ended between the two questions
            return False

    def ending(self) -> str | None:
        return None if self.is_running else f"{self.name} has ended"


@dataclass(frozen=True, slots=True)
class LentBackends:
    """Like Backends for a run, except that they run already and go on when it is over. `stop` gives them back."""

    lender: int
    kafka: Kafka | None
    redis: RedisServer | None
    _taken: TextIO
    kafka_proxy: Proxy | None = None
    redis_proxy: Proxy | None = None
    # These are not lent.
    redis_cluster: RedisCluster | None = None
    redis_cluster_proxy: Proxy | None = None
    nats: NatsServer | None = None
    nats_proxy: Proxy | None = None

    def begin(self, on_progress: OnProgress) -> None:
        """They have begun."""

    def finish(self) -> None:
        self.check()

    def services_for(self, requires: Requirements) -> Services:
        """As Backends.services_for."""
        return Services(
            kafka_bootstrap=self.kafka.bootstrap if requires.kafka and self.kafka is not None else None,
            redis_url=self.redis.url if requires.redis and self.redis is not None else None,
        )

    def check(self) -> None:
        """Raise ServiceFailed if one of their processes has ended."""
        if self.kafka is not None:
            self.kafka.check()
        if self.redis is not None:
            self.redis.child.check()

    def forget(self, run_id: str) -> None:
        """What a run made goes when the lender does."""

    def stop(self) -> None:
        self._taken.close()


def offer(backends: Backends) -> None:
    """Describe them for runs beside this process, in the folder that goes when they stop."""
    kafka, redis = backends.kafka, backends.redis
    standing = _Standing(
        pid=os.getpid(),
        kafka=None if kafka is None else _Kafka(kafka.installation, kafka.brokers, [c.pid for c in kafka.children]),
        redis=None if redis is None else _Redis(redis.port, redis.child.pid, redis.child.log),
    )
    assert backends.workdir is not None
    incomplete = backends.workdir / f".{FILE}"
    incomplete.write_bytes(msgspec.json.encode(standing, enc_hook=str))
    incomplete.rename(backends.workdir / FILE)


def borrow(requires: Requirements, brokers: int) -> LentBackends | None:
    """What stands ready of the kind that is required, with so many brokers; None if nothing does, or it is taken."""
    for file in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*/{FILE}")):
        try:
            lent = _borrow_from(file, requires, brokers)
        except (OSError, msgspec.DecodeError, psutil.NoSuchProcess, ServiceFailed):
            continue  # it is just ending, or nobody's any more
        if lent is not None:
            return lent
    return None


def _borrow_from(file: Path, requires: Requirements, brokers: int) -> LentBackends | None:
    if file.stat().st_uid != os.getuid():
        return None  # in a folder that all users share, only one's own word counts
    standing = msgspec.json.decode(file.read_bytes(), type=_Standing, dec_hook=_path)
    if requires.redis_cluster or requires.nats:
        return None
    if (requires.kafka and (standing.kafka is None or len(standing.kafka.brokers) != brokers)) or (
        requires.redis and standing.redis is None
    ):
        return None
    taken = file.open()
    try:
        fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go when it is closed, or this process ends
        lent = LentBackends(
            standing.pid,
            None if standing.kafka is None else _kafka(standing.kafka, standing.pid),
            None if standing.redis is None else _redis(standing.redis, standing.pid, file.parent),
            taken,
        )
        lent.check()
    except BaseException:
        taken.close()
        raise
    return lent


def _kafka(standing: _Kafka, lender: int) -> Kafka:
    kafka = Kafka(standing.installation, standing.brokers)
    for broker, pid in zip(standing.brokers, standing.pids, strict=True):
        kafka.children.append(Borrowed(f"kafka broker {broker.node}", pid, broker.log, lender))
    return kafka


def _redis(standing: _Redis, lender: int, workdir: Path) -> RedisServer:
    return RedisServer(Borrowed("redis", standing.pid, standing.log, lender), standing.port, workdir)


def _path(_kind: type, text: Any) -> Path:
    return Path(text)
