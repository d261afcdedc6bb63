"""The runs behind the claims. Each experiment is named after what it varies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from harness.core.faults import Fault
from harness.core.registry import candidates
from harness.core.settings import ROUNDS_MAX, RunSettings, in_range
from harness.experiments.series import PlannedRun, in_turn, validated

REMEMBER = ("redis", "plan1", "plan2", "kafka-redis", "kafka-broadcast")  # see durability.py
GROUP_SIZES = (1, 2, 4)
PARTITION_COUNTS = (2, 4, 8)
CLUSTER_BROKERS = 3
CLUSTER_PARTITIONS = 6
CLUSTER_REPLICAS = (1, 3)
CLUSTER_RATES_PER_S = (20.0, 1000.0)
RESTART_AT_S, RESTART_LASTS_S = 3.0, 1.0


class ClaimsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a study: rounds, durations, and the claims to test."""

    rounds: int = 3  # of the experiments that compare latency or CPU
    duration_s: float = 10.0
    warmup_s: float = 5.0
    seed: int = 1
    claims: tuple[str, ...] = ()  # ids; empty: all claims
    command: tuple[str, ...] = ()  # the command line of the study


def plan(effort: ClaimsPlan, experiments: Collection[str], folder: Path) -> list[PlannedRun]:
    """All runs of these experiments, those on three brokers last; raises UsageError if one is not valid."""
    in_range("--rounds", effort.rounds, 1, ROUNDS_MAX)
    planned = [
        PlannedRun(f"{experiment}: {each.arch}, {each.scenario}", _placed(each, folder / "runs" / experiment))
        for experiment, each in _experiments(effort)
        if experiment in experiments
    ]
    return sorted(validated(planned), key=lambda each: each.settings.brokers)


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


def _in_turns(names: tuple[str, ...], rounds: int) -> Iterator[tuple[int, str]]:
    """Each architecture once in each round, in a different order each time, as in harness.experiments.comparison."""
    for number in range(1, rounds + 1):
        for name in in_turn(names, number - 1):
            yield number, name


def _fragments(effort: ClaimsPlan) -> Iterator[RunSettings]:
    for gateways in GROUP_SIZES:
        yield _run(effort, "naive", gateways=gateways, rate_per_s=100.0)


def _writes(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """On one broker at a low rate, so that each record has a batch of its own. Copies are not dropped."""
    for partitions in PARTITION_COUNTS:
        yield _run(effort, "plan1", members=10, partitions=partitions)
        yield _run(effort, "plan2", members=10, partitions=partitions)


def _brokers(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """On three brokers. At the higher rate, records share requests."""
    for replicas in CLUSTER_REPLICAS:
        for rate_per_s in CLUSTER_RATES_PER_S:
            yield _run(
                effort,
                "plan1",
                members=4,
                brokers=CLUSTER_BROKERS,
                partitions=CLUSTER_PARTITIONS,
                rate_per_s=rate_per_s,
                arch_options=("dedup=1", f"replicas={replicas}"),
            )


def _duplicates(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """Two gateways with one or two partitions each, the latter with and without dropping copies."""
    for number in range(1, effort.rounds + 1):
        for partitions, given in ((2, ()), (4, ()), (4, ("dedup=1",))):
            yield _run(effort, "plan1", number, partitions=partitions, arch_options=given, rate_per_s=50.0)


def _joins(effort: ClaimsPlan) -> Iterator[RunSettings]:
    for gateways in (2, 4):
        for name in ("plan1", "plan2"):
            yield _run(effort, name, scenario="churn", rooms=40, gateways=gateways, members=200)


def _hot(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """From an even load to the most uneven one: small rooms, Zipf's law, a steeper law, one room."""
    for number, name in _in_turns(("plan1", "plan2"), effort.rounds):
        common = {"gateways": 4, "members": 400, "rate_per_s": 100.0}
        yield _run(effort, name, number, scenario="many_rooms", **common)
        yield _run(effort, name, number, scenario="zipf_rooms", **common)
        yield _run(effort, name, number, scenario="zipf_rooms", options=("exponent=2",), **common)
        yield _run(effort, name, number, scenario="big_room", **common)


def _one_room(effort: ClaimsPlan) -> Iterator[RunSettings]:
    for number, name in _in_turns(tuple(candidates()), effort.rounds):
        yield _run(effort, name, number, rate_per_s=50.0)


def _small_rooms(effort: ClaimsPlan) -> Iterator[RunSettings]:
    """Rooms of two, so that at least half of the four gateways have no member of a room."""
    for number, name in _in_turns(tuple(candidates()), effort.rounds):
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
