"""The design: which shapes of a chat unit costs are fitted to, and which ones validate the predictions afterwards.

In the fitted shapes members, rooms, gateways, rate, payload, the gateway's tick and the replicas of a record vary
apart from each other, so that each unit cost can be told from the others. A long tick puts many messages into one
write, which tells a write from a delivery. The shapes to validate with are measured after all others. Those INSIDE lie
between the fitted ones; each of those OUTSIDE is three to four times beyond all of them in one quantity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.analysis.order import order_of_block
from harness.core.registry import candidates
from harness.core.settings import DURATION_MAX_S, ROUNDS_MAX, RunSettings, in_range
from harness.core.units import duration_text
from harness.experiments.costs.workload import has_unit_costs, uses_kafka
from harness.experiments.series import PlannedRun, validated
from harness.experiments.turns import PlannedTurn
from harness.runs.warming import WARMING_MAX_S

FITTED, INSIDE, OUTSIDE = "fitted", "inside", "outside"
VALIDATING = (INSIDE, OUTSIDE)
REPLICATED = 3  # brokers, and replicas of each record


class Shape(NamedTuple):
    """A chat of equal rooms, and the rates in all of them together, the lowest first."""

    gateways: int
    rooms: int
    members_per_room: int
    rates_per_s: tuple[float, ...]
    payload_bytes: int = 100
    tick_s: float | None = None  # None: adapts to the load
    brokers: int = 1

    def __str__(self) -> str:
        brokers = "" if self.brokers == 1 else f" and {self.brokers} brokers"
        return f"{self.rooms} x {self.members_per_room} on {self.gateways} gateway{'s'[: self.gateways > 1]}{brokers}"


SHAPES = {
    FITTED: (
        Shape(1, 1, 50, (20, 120, 500)),
        Shape(2, 1, 100, (10, 80, 400)),
        Shape(2, 1, 300, (5, 40, 130)),
        Shape(2, 1, 1000, (3, 12, 40)),
        Shape(2, 1, 2500, (2, 6, 14)),
        Shape(4, 1, 1000, (3, 12, 36)),
        Shape(2, 1, 100, (50, 150, 400), tick_s=0.02),
        Shape(3, 1, 20, (80, 300, 1000), tick_s=0.04),
        Shape(2, 1, 10, (100, 400, 1000)),
        Shape(2, 40, 5, (50, 200, 700)),
        Shape(4, 40, 5, (40, 150, 450)),
        Shape(1, 30, 10, (40, 200, 700)),
        Shape(6, 20, 10, (20, 80, 240)),
        Shape(3, 200, 4, (50, 200, 600)),
        Shape(2, 300, 3, (50, 200, 700)),
        Shape(4, 8, 60, (30, 120, 350), tick_s=0.01),
        Shape(2, 10, 40, (20, 80, 250), payload_bytes=1000),
        Shape(2, 1, 500, (5, 20, 50), payload_bytes=2000),
        Shape(2, 1, 100, (10, 80, 300), brokers=REPLICATED),
        Shape(4, 40, 5, (40, 120, 350), brokers=REPLICATED),
        Shape(2, 40, 5, (50, 200, 500), payload_bytes=1000, brokers=REPLICATED),
    ),
    INSIDE: (
        Shape(3, 1, 600, (5, 20, 45)),
        Shape(3, 60, 5, (40, 150, 400)),
        Shape(2, 15, 30, (30, 100, 300)),
        Shape(4, 4, 100, (15, 60, 150), payload_bytes=500),
        Shape(3, 1, 60, (25, 100, 300), brokers=REPLICATED),
    ),
    OUTSIDE: (
        Shape(2, 1, 8000, (0.5, 2)),
        Shape(2, 1, 4, (3000,)),
        Shape(20, 40, 5, (15, 50)),
        Shape(2, 1200, 2, (100, 400)),
    ),
}


class CostsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a study."""

    rounds: int = 1
    duration_s: float = 4.0
    warmup_s: float = 1.0
    jvm_warmup_s: float = WARMING_MAX_S  # at most
    seed: int = 1
    command: tuple[str, ...] = ()  # the command line of the study

    @property
    def idle_s(self) -> float:
        """How long nobody writes in each turn."""
        return self.duration_s


def plan(effort: CostsPlan, folder: Path) -> list[PlannedTurn]:
    """All turns of the study in their order; raises UsageError if one is not valid."""
    in_range("--rounds", effort.rounds, 1, ROUNDS_MAX)
    in_range("--jvm-warmup", effort.jvm_warmup_s, 0, DURATION_MAX_S, duration_text)
    return [validated(turn) for turn in _turns(effort, folder)]


def _turns(effort: CostsPlan, folder: Path) -> Iterator[PlannedTurn]:
    """The fitted shapes in every round, then those to validate with; shapes on the same brokers follow each other."""
    for kind, replicated_first in ((FITTED, True), (INSIDE, False), (OUTSIDE, False)):
        for number in range(effort.rounds):
            shapes = sorted(SHAPES[kind], key=lambda shape: (shape.brokers == 1) is replicated_first)
            for place, shape in enumerate(shapes):
                for arch in order_of_block(_measured_on(shape), place + number):
                    common = _settings(arch, shape, effort, number, folder / "runs" / kind)
                    yield [
                        PlannedRun(f"{kind}: {arch}, {shape}", msgspec.structs.replace(common, rate_per_s=rate_per_s))
                        for rate_per_s in shape.rates_per_s
                    ]


def _measured_on(shape: Shape) -> Sequence[str]:
    """The architectures with unit costs; with several brokers those that use Kafka."""
    return [name for name in candidates() if has_unit_costs(name) and (shape.brokers == 1 or uses_kafka(name))]


def _settings(arch: str, shape: Shape, effort: CostsPlan, number: int, out: Path) -> RunSettings:
    return RunSettings(
        arch=arch,
        scenario="big_room" if shape.rooms == 1 else "many_rooms",
        members=shape.rooms * shape.members_per_room,
        rooms=shape.rooms,
        payload_bytes=shape.payload_bytes,
        gateways=shape.gateways,
        tick_s=shape.tick_s,
        brokers=shape.brokers,
        duration_s=effort.duration_s,
        warmup_s=effort.warmup_s,
        seed=effort.seed + number,
        out=str(out),
    )
