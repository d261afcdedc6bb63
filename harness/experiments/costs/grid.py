"""The runs that unit costs are fitted to, and the runs held out to validate the predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.core.registry import candidates
from harness.core.settings import DURATION_MAX_S, ROUNDS_MAX, RunSettings, in_range
from harness.core.units import duration_text
from harness.experiments.costs.workload import has_unit_costs, uses_kafka
from harness.experiments.series import PlannedRun, in_turn, validated

FITTED, HELD_OUT, WARM_UP = "fitted", "held-out", "warm-up"


class Shape(NamedTuple):
    gateways: int
    rooms: int
    members_per_room: int
    rate_per_s: float
    payload_bytes: int = 100


# Big and small rooms, few and many gateways, low and high rates. No two of these quantities grow together.
SHAPES = {
    FITTED: (
        Shape(2, 1, 100, 20),
        Shape(2, 1, 100, 150),
        Shape(2, 1, 1000, 40),
        Shape(2, 1, 3000, 5),
        Shape(4, 1, 400, 60),
        Shape(1, 20, 10, 200),
        Shape(2, 40, 5, 100),
        Shape(2, 40, 5, 500),
        Shape(2, 200, 5, 1000),
        Shape(4, 40, 5, 100),
        Shape(4, 100, 5, 300),
        Shape(4, 10, 50, 100, 1000),
        Shape(8, 40, 5, 50),
        Shape(8, 10, 40, 100),
        Shape(2, 500, 2, 300),
    ),
    HELD_OUT: (
        Shape(2, 1, 300, 50),
        Shape(2, 4, 100, 80),
        Shape(2, 80, 5, 250),
        Shape(3, 10, 20, 120),
        Shape(4, 20, 10, 150),
        Shape(6, 30, 5, 100),
        Shape(2, 1, 2000, 15, 500),
    ),
}


class CostsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a study. It does not measure latency, so short warm-ups are enough once the JVM is warm."""

    rounds: int = 1
    duration_s: float = 8.0
    warmup_s: float = 2.0
    jvm_warmup_s: float = 45.0
    seed: int = 1
    command: tuple[str, ...] = ()  # the command line of the study


def plan(effort: CostsPlan, folder: Path) -> list[PlannedRun]:
    """All runs of the study; raises UsageError if one is not valid."""
    in_range("--rounds", effort.rounds, 1, ROUNDS_MAX)
    in_range("--jvm-warmup", effort.jvm_warmup_s, 0, DURATION_MAX_S, duration_text)
    return validated([PlannedRun(name, settings) for name, settings in _runs(effort, folder)])


def _runs(effort: CostsPlan, folder: Path) -> Iterator[tuple[str, RunSettings]]:
    # A cold broker takes twice the CPU for the same work, so a run that is not used for the fit warms it up.
    measured = [name for name in candidates() if has_unit_costs(name)]
    cold = _settings(next(filter(uses_kafka, measured)), Shape(2, 40, 5, 1000), effort, 0, folder / "runs" / WARM_UP)
    yield "warming up the broker", msgspec.structs.replace(cold, duration_s=max(1.0, effort.jvm_warmup_s))
    for number in range(effort.rounds):
        for place, (kind, shape) in enumerate(_interleaved()):
            for arch in in_turn(measured, place + number):
                name = f"{kind}: {arch}, {shape.rooms} x {shape.members_per_room} at {shape.rate_per_s:g} msg/s"
                yield name, _settings(arch, shape, effort, number, folder / "runs" / kind)


def _interleaved() -> Iterator[tuple[str, Shape]]:
    """The shapes, one held out after every two fitted, so that a change of the machine affects both kinds."""
    held_out = iter(SHAPES[HELD_OUT])
    for place, shape in enumerate(SHAPES[FITTED]):
        yield FITTED, shape
        if place % 2 and (other := next(held_out, None)) is not None:
            yield HELD_OUT, other
    for other in held_out:
        yield HELD_OUT, other


def _settings(arch: str, shape: Shape, effort: CostsPlan, number: int, out: Path) -> RunSettings:
    return RunSettings(
        arch=arch,
        scenario="big_room" if shape.rooms == 1 else "many_rooms",
        members=shape.rooms * shape.members_per_room,
        rooms=shape.rooms,
        rate_per_s=shape.rate_per_s,
        payload_bytes=shape.payload_bytes,
        gateways=shape.gateways,
        duration_s=effort.duration_s,
        warmup_s=effort.warmup_s,
        seed=effort.seed + number,
        out=str(out),
    )
