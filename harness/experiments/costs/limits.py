"""What a single thread or a single gateway cannot carry, by how much it is exceeded, and what would lift the limit.

More gateways do not help where one thread must do the work of a room, or of every message. Which of these limits an
architecture has follows from its route and from its class.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from harness.core.registry import load_candidate
from harness.core.units import figure_text
from harness.experiments.costs.components import GATEWAY_CPU, REDIS_CPU
from harness.experiments.costs.gateway_size import GatewaySize
from harness.experiments.costs.model import Model
from harness.experiments.costs.workload import Transfers, Workload, uses_redis

# A Redis server executes all commands on one thread, and a gateway has one as well. Above this share of a core, work
# waits in queues.
THREAD_CORES_MAX = 0.8
MANY_GATEWAYS = 1_000_000  # what a gateway still does with so many is what no number of gateways takes off it


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A thread or a gateway that would be full, by how much, and what would lift the limit."""

    part: str  # "redis", "reader", "owner" or "relay"
    what: str  # the same in words, such as "the one thread of the only Redis server"
    unit: str  # of `needed` and `most`: "cores" or "members"
    needed: float
    most: float
    lifted_by: str

    def __str__(self) -> str:
        carried = f"{figure_text(self.needed)} {self.unit}, of {figure_text(self.most)} at most"
        return f"{self.what} would carry {carried} (to lift this: {self.lifted_by})"


def limits_of(model: Model, arch: str, workload: Workload, hottest: Workload, gateway: GatewaySize) -> list[Limit]:
    """Every limit that the workload exceeds, however many gateways there are. `hottest` is its hottest room alone."""
    return [
        *_of_readers(model, arch, workload, gateway),
        *_of_an_owner(model, arch, hottest, gateway),
        *_of_a_relay(model, arch, hottest, gateway),
    ]


def limits_of_redis(model: Model, arch: str, workload: Workload, hottest: Workload) -> Iterator[Limit]:
    """The limit of the thread of a Redis server, where this architecture on these gateways exceeds it."""
    if not uses_redis(arch):
        return
    of_all = _redis_cores(model, arch, workload)
    of_a_room = _redis_cores(model, arch, hottest)
    kind = load_candidate(arch)
    if of_a_room > THREAD_CORES_MAX:
        yield Limit(
            part="redis",
            what="the one Redis server that a room's channel is on",
            unit="cores",
            needed=of_a_room,
            most=THREAD_CORES_MAX,
            lifted_by="rooms with fewer messages, or larger gateways, so that a room is on fewer of them",
        )
    elif of_all > THREAD_CORES_MAX and not kind.requires.redis_cluster:
        shards = f"a Redis cluster of {math.ceil(of_all / THREAD_CORES_MAX):,} shards"
        yield Limit(
            part="redis",
            what="the one thread of the only Redis server",
            unit="cores",
            needed=of_all,
            most=THREAD_CORES_MAX,
            lifted_by=f"{shards}, with {kind.on_shards}"
            if kind.on_shards
            else f"{shards} with sharded channels, which {arch} does not use",
        )


def _redis_cores(model: Model, arch: str, workload: Workload) -> float:
    return model.predict(REDIS_CPU, arch, workload).value / 1e6


def _of_readers(model: Model, arch: str, workload: Workload, gateway: GatewaySize) -> Iterator[Limit]:
    """The work of a gateway that more gateways do not take off it."""
    spread = min(workload.members_per_room, float(MANY_GATEWAYS))
    many = replace(workload, gateways=MANY_GATEWAYS, spread=spread)
    cores = model.predict(GATEWAY_CPU, arch, many).value / MANY_GATEWAYS / 1e6
    if cores > gateway.cores_max:
        everything = Transfers.of(arch, MANY_GATEWAYS, 1).copies >= MANY_GATEWAYS
        yield Limit(
            part="reader",
            what=f"each gateway, which reads all {workload.rate_per_s:,g} messages/s,"
            if everything
            else f"each gateway, which has members of every room and its {workload.rate_per_s:,g} messages/s,",
            unit="cores",
            needed=cores,
            most=gateway.cores_max,
            lifted_by="an architecture that sends a message only to the gateways with members of its room"
            if everything
            else "smaller rooms",
        )


def _of_an_owner(model: Model, arch: str, workload: Workload, gateway: GatewaySize) -> Iterator[Limit]:
    """The gateway that all members of a room are on, and its partition."""
    if not load_candidate(arch).rooms_have_owners:
        return
    owner = "the gateway that owns a room and its partition"
    if workload.members_per_room > gateway.members_max:
        yield Limit(
            part="owner",
            what=owner,
            unit="members",
            needed=workload.members_per_room,
            most=gateway.members_max,
            lifted_by=f"rooms of at most {gateway.members_max:,} members",
        )
    elif (cores := owner_cores(model, arch, workload, 1)) > gateway.cores_max:
        fits = _most(
            int(workload.members_per_room),
            lambda members: (
                owner_cores(model, arch, replace(workload, members_per_room=members), 1) <= gateway.cores_max
            ),
        )
        yield Limit(
            part="owner",
            what=owner,
            unit="cores",
            needed=cores,
            most=gateway.cores_max,
            lifted_by=f"rooms of at most {fits:,} members" if fits >= 2 else "rooms with fewer messages",
        )


def owner_cores(model: Model, arch: str, workload: Workload, rooms: int) -> float:
    """The cores of a gateway that owns so many of these rooms."""
    return _gateway_cores(model, arch, replace(workload, rooms=rooms, rate_per_s=rooms * workload.room_rate_per_s))


def _of_a_relay(model: Model, arch: str, workload: Workload, gateway: GatewaySize) -> Iterator[Limit]:
    """The gateway that takes a room's partition out of the log and publishes each of its messages once more."""
    route = Transfers.of(arch, 1, 1)
    if not (route.records and route.commands):
        return

    def relay_cores(rate_per_s: float) -> float:  # an upper bound: one member hears them on the same gateway
        return _gateway_cores(model, arch, replace(workload, rooms=1, members_per_room=1.0, rate_per_s=rate_per_s))

    if (cores := relay_cores(workload.room_rate_per_s)) > gateway.cores_max:
        fits = _most(int(workload.room_rate_per_s), lambda rate: relay_cores(rate) <= gateway.cores_max)
        yield Limit(
            part="relay",
            what="the gateway that relays a room's partition",
            unit="cores",
            needed=cores,
            most=gateway.cores_max,
            lifted_by=f"rooms with at most {fits:,} messages/s each, in more partitions",
        )


def _gateway_cores(model: Model, arch: str, workload: Workload) -> float:
    return model.predict(GATEWAY_CPU, arch, replace(workload, gateways=1, spread=1.0)).value / 1e6


def _most(asked: int, fits: Callable[[int], bool]) -> int:
    """The largest whole number up to `asked` that fits, rounded down to two digits; 0: none."""
    found = bisect_left(range(1, asked + 1), True, key=lambda number: not fits(number))
    step = int(10 ** max(0, len(str(found)) - 2))
    return found // step * step
