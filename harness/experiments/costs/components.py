"""The components of the cost model: CPU time, memory and bytes of each part of the system, by unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.experiments.costs.workload import Activity, Workload, cold_per_s, uses_kafka, uses_redis

Amount = Callable[[Workload, Activity], float]


@dataclass(frozen=True, slots=True)
class Component:
    """One quantity of one part of the system: the units that it is the sum of, and the column that measures it."""

    name: str
    column: str  # the column of the points with the measurement
    of: Mapping[str, Amount]  # units with one cost for all architectures, because the same code does the work
    uses: Callable[[str], bool]
    own: Mapping[str, Amount] = field(default_factory=dict)  # units with a cost for each architecture

    def names(self, architectures: Sequence[str]) -> tuple[str, ...]:
        return (*self.of, *(f"{name} ({arch})" for arch in architectures for name in self.own))

    def amounts(self, arch: str, workload: Workload, done: Activity, architectures: Sequence[str]) -> list[float]:
        """The amount of each unit in `names`."""
        own = [amount(workload, done) for amount in self.own.values()]
        none = [0.0] * len(own)
        of_each = [each for name in architectures for each in (own if name == arch else none)]
        return [*(amount(workload, done) for amount in self.of.values()), *of_each]


def _always(_arch: str) -> bool:
    return True


# What a thread, a member's socket for writing, and one for reading stay warm for. Of values from 2 ms to 10 s, these
# explain the fitted runs best. A cold term is concave: work that follows other work costs less.
THREAD_WARM_S, WRITTEN_WARM_S, READ_WARM_S = 0.008, 0.03, 1.0

GATEWAY_CPU = Component(
    name="gateway CPU",
    column="gateway_us_per_s",
    of={
        "member": lambda workload, _: workload.members,
        "cold message": lambda workload, done: cold_per_s(done.messages, workload.gateways, THREAD_WARM_S),
        "cold sender": lambda workload, done: cold_per_s(done.messages, workload.members, READ_WARM_S),
        "write": lambda _, done: done.writes,
        "cold write": lambda workload, done: cold_per_s(done.writes, workload.members, WRITTEN_WARM_S),
        "delivery": lambda _, done: done.deliveries,
        "byte delivered": lambda workload, done: done.deliveries * workload.payload_bytes,
    },
    own={
        "gateway": lambda workload, _: workload.gateways,
        "message": lambda _, done: done.messages,
        "copy": lambda _, done: done.copies,
        "cold copy": lambda workload, done: cold_per_s(done.copies, workload.gateways, THREAD_WARM_S),
    },
    uses=_always,
)
KAFKA_CPU = Component(
    name="kafka CPU",
    column="kafka_us_per_s",
    of={
        "broker": lambda workload, _: workload.replicas,
        "follower": lambda workload, _: workload.replicas * (workload.replicas - 1),  # each follows each other one
        "request": lambda _, done: done.requests,
        "record": lambda _, done: done.records,
        "fetch": lambda _, done: done.fetches,
        "cold fetch": lambda workload, done: cold_per_s(done.fetches, workload.gateways, THREAD_WARM_S),
        "byte": lambda workload, done: (done.records * workload.replicas + done.fetches) * workload.payload_bytes,
        "replicated record": lambda workload, done: done.records * (workload.replicas - 1),
    },
    own={"gateway": lambda workload, _: workload.gateways},  # its fetches that find nothing, and its heartbeats
    uses=uses_kafka,
)
REDIS_CPU = Component(
    name="redis CPU",
    column="redis_us_per_s",
    of={
        "server": lambda *_: 1.0,
        "gateway": lambda workload, _: workload.gateways,
        "command": lambda _, done: done.commands,
        "cold command": lambda workload, done: cold_per_s(done.commands, workload.gateways, THREAD_WARM_S),
        "copy": lambda _, done: done.copies,
        "cold copy": lambda workload, done: cold_per_s(done.copies, workload.gateways, THREAD_WARM_S),
        "byte": lambda workload, done: (done.commands + done.copies) * workload.payload_bytes,
    },
    uses=uses_redis,
)
GATEWAY_MEMORY = Component(
    name="gateway memory",
    column="gateway_bytes",
    of={"member": lambda workload, _: workload.members},
    own={
        "gateway": lambda workload, _: workload.gateways,
        "room on a gateway": lambda workload, _: workload.rooms * workload.spread,
    },
    uses=_always,
)
REDIS_MEMORY = Component(
    name="redis memory",
    column="redis_bytes",
    of={"server": lambda *_: 1.0, "subscription": lambda workload, _: workload.rooms * workload.spread},
    uses=uses_redis,
)
KAFKA_MEMORY = Component(
    name="kafka memory",  # the heap has a fixed size
    column="kafka_bytes",
    of={"broker": lambda workload, _: workload.replicas},
    uses=uses_kafka,
)
MEMBER_BYTES = Component(
    name="overhead to members",
    column="member_overhead_bytes_per_s",
    of={"delivery": lambda _, done: done.deliveries},
    uses=_always,
)
RECORD_BYTES = Component(
    name="overhead of records",
    column="record_overhead_bytes_per_s",
    of={"record": lambda _, done: done.records, "request": lambda _, done: done.requests},
    uses=uses_kafka,
)
COMMAND_BYTES = Component(
    name="overhead of commands",
    column="command_overhead_bytes_per_s",
    of={"command": lambda _, done: done.commands},
    uses=uses_redis,
)
COPY_BYTES = Component(
    name="overhead of Redis's copies",
    column="copy_overhead_bytes_per_s",
    of={"command": lambda _, done: done.commands, "copy": lambda _, done: done.copies},
    uses=uses_redis,
)
CPU_COMPONENTS = (GATEWAY_CPU, KAFKA_CPU, REDIS_CPU)
MEMORY_PARTS = (GATEWAY_MEMORY, KAFKA_MEMORY, REDIS_MEMORY)
COMPONENTS = (*CPU_COMPONENTS, *MEMORY_PARTS, MEMBER_BYTES, RECORD_BYTES, COMMAND_BYTES, COPY_BYTES)
