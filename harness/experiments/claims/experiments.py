"""The runs behind the claims. Each experiment is named after what it varies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.analysis.order import order_of_block
from harness.core.faults import Fault
from harness.core.registry import candidates
from harness.core.settings import ROUNDS_MAX, RunSettings, in_range
from harness.experiments.series import PlannedRun, validated

T = TypeVar("T")

REMEMBER = ("redis", "plan1", "plan2", "kafka-redis", "kafka-broadcast")  # see durability.py
GROUP_SIZES = (1, 2, 4)
PARTITION_COUNTS = (2, 4, 8)
CLUSTER_BROKERS = 3
CLUSTER_PARTITIONS = 6
CLUSTER_REPLICAS = (1, 3)
CLUSTER_RATE_PER_S, BATCHED_RATE_PER_S = 20.0, 1000.0
SMALL_GROUP, LARGE_GROUP = 2, 4  # gateways, of the joins
SHARE_ROUNDS = 2
HUGE_ROOM_MEMBERS, HUGE_ROOM_RATE_PER_S = 3_000, 5.0
COUNTED_S, COUNTED_WARMUP_S = 3.0, 1.0  # of runs whose figures are counts: more seconds would not say more
WARMING_S = 20.0
RESTART_AT_S, RESTART_LASTS_S = 3.0, 1.0


class ClaimsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a study: rounds, durations, and the claims to test."""

    rounds: int = 3  # of the experiments that contrasts rest on
    duration_s: float = 10.0
    warmup_s: float = 5.0
    seed: int = 1
    claims: tuple[str, ...] = ()  # ids; empty: all claims
    command: tuple[str, ...] = ()  # the command line of the study


def plan(effort: ClaimsPlan, experiments: Collection[str], folder: Path) -> list[PlannedRun]:
    """All runs of these experiments, those on three brokers last; raises UsageError if one is not valid.

    Brokers that contrasts are measured on are warmed first: a JVM that has just started compiles what it runs.
    """
    in_range("--rounds", effort.rounds, 1, ROUNDS_MAX)
    runs = [(name, each) for name, each in _experiments(effort) if name in experiments]
    cold = {each.brokers for name, each in runs if name in CONTRASTED and effort.rounds > 1}
    runs = [(WARMING, _warming(effort, brokers)) for brokers in sorted(cold)] + runs
    planned = [
        PlannedRun(f"{experiment}: {each.arch}, {each.scenario}", _placed(each, folder / "runs" / experiment))
        for experiment, each in runs
    ]
    return sorted(validated(planned), key=lambda each: each.settings.brokers)


WARMING = "warming"
# The experiments whose latency or CPU time is compared.
CONTRASTED = {"brokers", "duplicates", "joins", "huge_room", "one_room", "small_rooms"}


def _warming(effort: ClaimsPlan, brokers: int) -> RunSettings:
    """Few members and many messages, for which the brokers do all that they do in the experiments."""
    options = () if brokers == 1 else (f"replicas={brokers}",)
    load: dict[str, Any] = {"members": 4, "rate_per_s": BATCHED_RATE_PER_S, "duration_s": WARMING_S}
    return _run(effort, "plan1", brokers=brokers, arch_options=options, **load)


def _placed(settings: RunSettings, folder: Path) -> RunSettings:
    return msgspec.structs.replace(settings, out=str(folder))


def _experiments(effort: ClaimsPlan) -> Iterator[tuple[str, RunSettings]]:
    for name, runs in (
        ("fragments", _fragments),
        ("writes", _writes),
        ("brokers", _brokers),
        ("duplicates", _duplicates),
        ("joins", _joins),
        ("hot", _hot),
        ("huge_room", _huge_room),
        ("one_room", _one_room),
        ("small_rooms", _small_rooms),
        ("restarts", _restarts),
    ):
        for settings in runs(effort):
            yield name, settings


def _run(effort: ClaimsPlan, arch: str, number: int = 1, **given: object) -> RunSettings:
    """A run in the given round. All architectures of a round get the same load."""
    usual = RunSettings(
        arch=arch, duration_s=effort.duration_s, warmup_s=effort.warmup_s, seed=effort.seed + number - 1
    )
    return msgspec.structs.replace(usual, **given)


def _counted(effort: ClaimsPlan) -> ClaimsPlan:
    """The plan of short runs, for figures that are counts."""
    return msgspec.structs.replace(
        effort,
        duration_s=min(effort.duration_s, COUNTED_S),
        warmup_s=min(effort.warmup_s, COUNTED_WARMUP_S),
    )


def _blocks(names: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Each once in each round, in orders that are balanced for position and carry-over."""
    for number in range(1, rounds + 1):
        for name in order_of_block(names, number - 1):
            yield number, name


def _fragments(effort: ClaimsPlan) -> Iterator[RunSettings]:
    for gateways in GROUP_SIZES:
        yield _run(effort, "naive", gateways=gateways, rate_per_s=100.0)


def _writes(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """On one broker at a low rate, so that each record has a batch of its own. Copies are not dropped."""
    variants = [(name, partitions) for partitions in PARTITION_COUNTS for name in ("plan1", "plan2")]
    for number, (name, partitions) in _blocks(variants, effort.rounds):
        yield _run(_counted(effort), name, number, members=10, partitions=partitions)


def _brokers(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """On three brokers. At the higher rate, records share requests; CPU time is compared there."""
    yield _on_cluster(effort, 1, 1, CLUSTER_RATE_PER_S)
    for number, replicas in _blocks(CLUSTER_REPLICAS, effort.rounds):
        yield _on_cluster(effort, number, replicas, BATCHED_RATE_PER_S)


def _on_cluster(effort: ClaimsPlan, number: int, replicas: int, rate_per_s: float) -> RunSettings:
    cluster: dict[str, Any] = {"brokers": CLUSTER_BROKERS, "partitions": CLUSTER_PARTITIONS}
    options = ("dedup=1", f"replicas={replicas}")
    return _run(effort, "plan1", number, members=4, rate_per_s=rate_per_s, arch_options=options, **cluster)


def _duplicates(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """Two gateways with one or two partitions each, the latter with and without dropping copies."""
    variants: list[tuple[int, tuple[str, ...]]] = [(2, ()), (4, ()), (4, ("dedup=1",))]
    for number, (partitions, given) in _blocks(variants, effort.rounds):
        yield _run(effort, "plan1", number, partitions=partitions, arch_options=given, rate_per_s=50.0)


def _joins(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """Redirects are counted with few gateways and with more; how long a join takes is compared with more.

    Members come and go often, and a share of a half is counted in two rounds, because 600 joins do not tell it to 10 %.
    """
    churn: dict[str, Any] = {"scenario": "churn", "rooms": 40, "members": 200, "options": ("stay_s=1", "away_s=0.5")}
    yield _run(effort, "plan1", gateways=SMALL_GROUP, **churn)
    for number in range(1, min(effort.rounds, SHARE_ROUNDS) + 1):
        yield _run(effort, "plan2", number, gateways=SMALL_GROUP, **churn)
    for number, name in _blocks(("plan1", "plan2"), effort.rounds):
        yield _run(effort, name, number, gateways=LARGE_GROUP, **churn)
    yield _run(effort, "kafka-redis", gateways=LARGE_GROUP, **churn)


def _hot(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """From an even load to the most uneven one: small rooms, Zipf's law, a steeper law, one room."""
    common: dict[str, Any] = {"gateways": 4, "members": 400, "rate_per_s": 100.0}
    for name in ("plan1", "plan2"):
        for scenario, options in (("many_rooms", ()), ("zipf_rooms", ()), ("zipf_rooms", ("exponent=2",))):
            yield _run(_counted(effort), name, scenario=scenario, options=options, **common)
        yield _run(_counted(effort), name, scenario="big_room", **common)


def _huge_room(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """One room with as many members as two cores carry, at a rate at which no gateway is full.

    A message to 3,000 members takes the driver some 20 ms. With more members, the few messages that come close together
    would make it so late that a run is not valid.
    """
    common: dict[str, Any] = {"gateways": 4, "members": HUGE_ROOM_MEMBERS, "rate_per_s": HUGE_ROOM_RATE_PER_S}
    for number, name in _blocks(candidates(), effort.rounds):
        yield _run(effort, name, number, scenario="big_room", **common)


def _one_room(effort: ClaimsPlan) -> Iterator[RunSettings]:
    for number, name in _blocks(candidates(), effort.rounds):
        yield _run(effort, name, number, rate_per_s=50.0)


def _small_rooms(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """Rooms of two, so that at least half of the four gateways have no member of a room."""
    for number, name in _blocks(candidates(), effort.rounds):
        yield _run(effort, name, number, scenario="many_rooms", rooms=100, gateways=4, members=200, rate_per_s=100.0)


def _restarts(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """The architecture's backend is killed and restarted, and the measurement lasts until it has recovered."""
    for name, backend in (
        ("redis", "redis"),
        ("kafka-redis", "redis"),
        ("plan2", "broker"),
        ("kafka-broadcast", "broker"),
    ):
        fault = Fault("restart", backend, RESTART_LASTS_S, RESTART_AT_S)
        longer_s = max(effort.duration_s, fault.over_s + fault.follows_s)
        yield _run(effort, name, rate_per_s=50.0, duration_s=longer_s, faults=(str(fault),))
