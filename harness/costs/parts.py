"""The parts of the system, and what their CPU time, memory and bytes are made up of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.costs.workload import WAYS, Activity, Workload


@dataclass(frozen=True, slots=True)
class Part:
    """One quantity of one part of the system: what it is made up of, and where it was measured."""

    name: str
    column: str  # of the points
    together: bool  # whether one fit does for all architectures
    of: Mapping[str, Callable[[Workload, Activity], float]]
    uses: Callable[[str], bool]

    def amounts(self, workload: Workload, done: Activity) -> list[float]:
        return [amount(workload, done) for amount in self.of.values()]


def _uses_kafka(arch: str) -> bool:
    return WAYS[arch].uses_kafka


def _uses_redis(arch: str) -> bool:
    return WAYS[arch].uses_redis


def _always(_arch: str) -> bool:
    return True


GATEWAY_CPU = Part(
    name="gateway CPU",
    column="gateway_us_per_s",
    together=False,
    of={
        "gateway": lambda workload, _: workload.gateways,
        "message": lambda _, done: done.messages,
        "copy": lambda _, done: done.copies,
        "write": lambda _, done: done.writes,
        "delivery": lambda _, done: done.deliveries,
    },
    uses=_always,
)
KAFKA_CPU = Part(
    name="kafka CPU",
    column="kafka_us_per_s",
    together=True,
    of={
        "broker": lambda *_: 1.0,
        "request": lambda _, done: done.requests,
        "record": lambda _, done: done.records,
        "fetch": lambda _, done: done.fetches,
    },
    uses=_uses_kafka,
)
REDIS_CPU = Part(
    name="redis CPU",
    column="redis_us_per_s",
    together=True,
    of={
        "server": lambda *_: 1.0,
        "command": lambda _, done: done.commands,
        "copy": lambda _, done: done.copies,
    },
    uses=_uses_redis,
)
GATEWAY_MEMORY = Part(
    name="gateway memory",
    column="gateway_bytes",
    together=False,
    of={
        "gateway": lambda workload, _: workload.gateways,
        "member": lambda workload, _: workload.members,
        "room on a gateway": lambda workload, _: workload.rooms * workload.spread,
    },
    uses=_always,
)
REDIS_MEMORY = Part(
    name="redis memory",
    column="redis_bytes",
    together=True,
    of={"server": lambda *_: 1.0, "subscription": lambda workload, _: workload.rooms * workload.spread},
    uses=_uses_redis,
)
KAFKA_MEMORY = Part(
    name="kafka memory",  # a heap of fixed size, whatever the load
    column="kafka_bytes",
    together=True,
    of={"broker": lambda *_: 1.0},
    uses=_uses_kafka,
)
MEMBER_BYTES = Part(
    name="overhead to members",
    column="member_overhead_bytes_per_s",
    together=True,
    of={"delivery": lambda _, done: done.deliveries},
    uses=_always,
)
RECORD_BYTES = Part(
    name="overhead of records",
    column="record_overhead_bytes_per_s",
    together=True,
    of={"record": lambda _, done: done.records, "request": lambda _, done: done.requests},
    uses=_uses_kafka,
)
COMMAND_BYTES = Part(
    name="overhead of commands",
    column="command_overhead_bytes_per_s",
    together=True,
    of={"command": lambda _, done: done.commands},
    uses=_uses_redis,
)
COPY_BYTES = Part(
    name="overhead of Redis's copies",
    column="copy_overhead_bytes_per_s",
    together=True,
    of={"command": lambda _, done: done.commands, "copy": lambda _, done: done.copies},
    uses=_uses_redis,
)
CPU_PARTS = (GATEWAY_CPU, KAFKA_CPU, REDIS_CPU)
MEMORY_PARTS = (GATEWAY_MEMORY, KAFKA_MEMORY, REDIS_MEMORY)
PARTS = (*CPU_PARTS, *MEMORY_PARTS, MEMBER_BYTES, RECORD_BYTES, COMMAND_BYTES, COPY_BYTES)
