"""Kafka and Redis for one run or for many: started once, kept warm, stopped at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from architectures.interface import Requirements, Services
from harness.services.jars import ensure_jars
from harness.services.kafka import Kafka
from harness.services.redis import RedisServer, start_redis
from harness.services.workdir import make_workdir


class Backends:
    """What is required of the two. `begin`, then `finish`, then `stop`; once they run, the first two do nothing.

    Between `begin` and `finish` a JVM is busy and the caller may do something else.
    """

    def __init__(self, requires: Requirements, brokers: int, logs: Path) -> None:
        self._requires = requires
        self._brokers = brokers
        self._logs = logs
        self._workdir: Path | None = None
        self._finished = False
        self.kafka: Kafka | None = None
        self.redis: RedisServer | None = None

    def begin(self, on_download: Callable[[int, int], None]) -> None:
        """Download what is missing, and begin to start."""
        if self._workdir is not None:
            return
        self._workdir = make_workdir()
        if self._requires.kafka:
            jars = ensure_jars(on_download)
            self.kafka = Kafka(jars, self._brokers, self._workdir, self._logs)
            self.kafka.format()
        if self._requires.redis:
            self.redis = start_redis(self._workdir, self._logs / "redis.log")

    def finish(self) -> None:
        """Wait until they answer."""
        if self.kafka is not None and not self._finished:
            self.kafka.start()
            self.kafka.wait_ready()
        self._finished = True

    def services_for(self, requires: Requirements) -> Services:
        """Where they are, for an architecture that requires these and no others."""
        return Services(
            kafka_bootstrap=self.kafka.bootstrap if requires.kafka and self.kafka is not None else None,
            redis_url=self.redis.url if requires.redis and self.redis is not None else None,
        )

    def check(self) -> None:
        """Raise ServiceFailed if any of their processes has ended."""
        if self.kafka is not None:
            self.kafka.check()
        if self.redis is not None:
            self.redis.child.check()

    def stop(self) -> None:
        if self.redis is not None:
            self.redis.stop()
        if self.kafka is not None:
            self.kafka.stop()
        if self._workdir is not None:
            shutil.rmtree(self._workdir, ignore_errors=True)  # what is left, the next run removes
