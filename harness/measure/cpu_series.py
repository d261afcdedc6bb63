"""CPU time over a phase: as a whole, and in each of its seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from harness.measure.resources import CpuUsed

SECOND_NS = 1_000_000_000
ENDED = "-"  # in the place of the CPU time of a gateway that has ended
KEPT_S = 60  # readings are needed only until the driver has reported their second


class CpuOfSecond(msgspec.Struct, frozen=True, kw_only=True):
    """The CPU time used in one second, in milliseconds. None: not measured. These are columns of timeseries.csv."""

    gateway_cpu_ms: float | None = None  # all gateways together, as the next three
    kafka_cpu_ms: float | None = None
    redis_cpu_ms: float | None = None
    nats_cpu_ms: float | None = None
    kafka_compiler_cpu_ms: float | None = None  # of kafka_cpu_ms, what the compiler of the brokers' JVMs used
    kafka_collector_cpu_ms: float | None = None  # of kafka_cpu_ms, what their garbage collector used
    each_gateway_cpu_ms: str | None = None  # by place, with spaces between them; ENDED for one that has ended


class CpuSeries:
    """Readings of CPU time at the beginning of a phase, at the end of each second, and at the end of the phase."""

    def __init__(self, read: Callable[[], CpuUsed], *, each_second: bool) -> None:
        """`read` returns the CPU time used so far."""
        self._read = read
        self._each_second = each_second
        self._start_ns = 0
        self._seconds: dict[int, CpuUsed] = {}  # by how many seconds had passed
        self._samples: list[tuple[float, CpuUsed]] = []

    def begin(self, start_ns: int) -> None:
        """Take the reading at the beginning, which was at `start_ns`."""
        self._start_ns = start_ns
        self._seconds[0] = self._sample()

    def end(self) -> None:
        """Take the reading at the end. The seconds go on, because deliveries do too."""
        self._sample()

    def _sample(self) -> CpuUsed:
        used = self._read()
        self._samples.append((time.monotonic(), used))
        return used

    def due_in_s(self, now_ns: int) -> float:
        """Return how long it is until the end of the current second."""
        return (SECOND_NS - (now_ns - self._start_ns) % SECOND_NS) / SECOND_NS

    def tick(self, now_ns: int) -> None:
        """Take a reading if a second has ended since the last one. Call it as soon as `due_in_s` has passed."""
        second = (now_ns - self._start_ns) // SECOND_NS
        if self._each_second and second not in self._seconds:
            self._seconds[second] = self._read()
            self._seconds.pop(second - KEPT_S, None)

    @property
    def duration_s(self) -> float:
        """The time between the readings at the beginning and at the end."""
        return self._samples[-1][0] - self._samples[0][0]

    @property
    def used(self) -> CpuUsed:
        """What was used between the beginning and the end."""
        return self._samples[-1][1].since(self._samples[0][1])

    def of_second(self, second: int) -> CpuOfSecond:
        """Return what was used in that second, from 0. It is empty if there was no reading at one of its ends."""
        if second not in self._seconds or second + 1 not in self._seconds:
            return CpuOfSecond()
        used = self._seconds[second + 1].since(self._seconds[second])
        kafka = used.jvms.get("kafka")
        cpu_s = [used.by_gateway.get(process) for process in self._samples[0][1].by_gateway]  # which has their order
        gateways = [ENDED if each is None else str(_ms(each)) for each in cpu_s]
        return CpuOfSecond(
            **{f"{name}_cpu_ms": _ms(cpu_s) for name, cpu_s in used.by_component.items()},
            kafka_compiler_cpu_ms=None if kafka is None else _ms(kafka.compiler_s),
            kafka_collector_cpu_ms=None if kafka is None else _ms(kafka.collector_s),
            each_gateway_cpu_ms=" ".join(gateways) or None,
        )


def _ms(cpu_s: float) -> float:
    return round(1_000 * cpu_s, 3)
