"""The plan of a comparison: which runs each of its blocks has, in which order, and about how long they take.

    block 1: A B D C    block 2: B C A D    block 3: C D B A    block 4: D A C B

The orders are balanced for position and for carry-over. Within a block all architectures get the same load (the same
seed); each block has a different one. In its turn an architecture starts once, and is measured idle and at each rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.analysis.order import order_of_block
from harness.analysis.stopping import BLOCKS_MIN
from harness.core import settings as config
from harness.core.errors import UsageError
from harness.core.options import parse_options
from harness.core.registry import find_scenario, load_candidate, scenario_cycle_s, scenario_has_shape
from harness.core.settings import RunSettings
from harness.core.time_left import about_text
from harness.core.units import duration_text
from harness.experiments.series import PlannedRun, check_arch_options, settings_for, validated
from harness.runs.warming import WARMING_MAX_S

BUDGET_S, BUDGET_MAX_S = 600.0, 86_400.0
PRECISION = 0.1
IDLE_S, IDLE_PER_LOAD = 6.0, 1.5
# How long a turn takes beside its phases, by the times between the runs in results/reference (two cores, nothing else
# on them): the start, the joins and the end, and the drain of each phase.
START_AND_STOP_S = 3.0
DRAIN_S = 0.5
WARMING_S = 45.0  # of Kafka's brokers


class Variant(NamedTuple):
    """What has one turn in each block: an architecture, with a label where it is there under several."""

    architecture: str
    label: str = ""

    def __str__(self) -> str:
        """The name in frames and reports."""
        return f"{self.architecture} ({self.label})" if self.label else self.architecture


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The content of campaign.json: the plan, which is enough to resume after an interruption."""

    architectures: tuple[str, ...]
    labels: tuple[str, ...] = ()  # each architecture has a turn under each of these; empty: one turn, without a label
    rates_per_s: tuple[float, ...]
    rounds: int | None  # measure exactly so many blocks; None: go by `precision` and `budget_s`
    common: RunSettings  # the settings of every run, except arch, rate_per_s, seed and out
    budget_s: float = BUDGET_S  # of measuring; a block that would not end in it is not begun
    jvm_warmup_s: float = WARMING_MAX_S  # of Kafka before the first run, at most; 0: none
    precision: float = PRECISION  # the half-width of the intervals of CPU ratios to stop at
    command: tuple[str, ...] = ()

    @property
    def idle_s(self) -> float:
        """How long to measure while nobody writes: longer than a load, because less happens in that time."""
        return min(IDLE_S, IDLE_PER_LOAD * self.common.duration_s)

    @property
    def variants(self) -> list[Variant]:
        """What has a turn in each block, in the order it was given."""
        names = dict.fromkeys(self.architectures)
        return [Variant(name, label) for name, label in product(names, dict.fromkeys(self.labels or ("",)))]


def check(campaign: Campaign) -> None:
    """Raise UsageError for the first part of the plan that is not valid."""
    if campaign.rounds is not None:
        config.in_range("--rounds", campaign.rounds, 1, config.ROUNDS_MAX)
    config.in_range("--budget", campaign.budget_s, 1, BUDGET_MAX_S)
    config.in_range("--jvm-warmup", campaign.jvm_warmup_s, 0, BUDGET_MAX_S)
    config.in_range("--precision", campaign.precision, 0.01, 1)
    if len(campaign.variants) < 2:
        raise UsageError("compare needs at least two different architectures; give --arch twice or more")
    check_arch_options(campaign.common, campaign.architectures)
    validated([run for turn in plan_block(campaign, Path(), 1) for run in turn])


def plan_block(campaign: Campaign, folder: Path, number: int) -> Iterator[list[PlannedRun]]:
    """The turns of a block, which counts from 1: the runs of one architecture at each rate.

    A fault, or a scenario's load shape, may leave nothing behind to measure at the next rate, so that with these each
    rate is a turn of its own.
    """
    apart = bool(campaign.common.faults) or scenario_has_shape(find_scenario(campaign.common.scenario))
    for rates_per_s in [(rate,) for rate in campaign.rates_per_s] if apart else [campaign.rates_per_s]:
        for variant in order_of_block(campaign.variants, number - 1):
            yield [
                PlannedRun(f"block {number}, {variant}", _settings(campaign, folder, number, rate_per_s, variant))
                for rate_per_s in rates_per_s
            ]


def of_one_cycle(common: RunSettings) -> RunSettings:
    """The settings with a duration that is long enough for the scenario to show all that it does."""
    cycle_s = scenario_cycle_s(find_scenario(common.scenario), parse_options("--set", common.options))
    return msgspec.structs.replace(common, duration_s=max(common.duration_s, min(cycle_s, config.DURATION_MAX_S)))


def least_turns(campaign: Campaign) -> int:
    """The least number of turns, which is shown before it is known how many there will be."""
    return (campaign.rounds or BLOCKS_MIN) * len(list(plan_block(campaign, Path(), 1)))


def turn_s(campaign: Campaign) -> float:
    """About how long a turn takes, before one has been made."""
    common = campaign.common
    turn = next(plan_block(campaign, Path(), 1))
    phases_s = [common.warmup_s, campaign.idle_s, *(run.settings.duration_s for run in turn)]
    return START_AND_STOP_S + sum(DRAIN_S + phase_s for phase_s in phases_s)


def warnings_of(campaign: Campaign) -> list[str]:
    """Sentences about what the user may not expect of this plan, for before anything starts."""
    return [each for each in (_incomparable(campaign), too_little_time(campaign)) if each is not None]


def _incomparable(campaign: Campaign) -> str | None:
    """Say which architectures run on different numbers of gateways, which is not the same load."""
    on = {name: campaign.common.gateway_count(load_candidate(name)) for name in dict.fromkeys(campaign.architectures)}
    fewest = min(on.values())
    few, more = ([name for name, count in on.items() if (count == fewest) is is_few] for is_few in (True, False))
    if not more:
        return None
    return (
        f"{', '.join(more)} will run on more gateways than {', '.join(few)}, and they are not compared with each "
        f"other; for that, use --gateways {fewest}"
    )


def too_little_time(campaign: Campaign) -> str | None:
    """Say what would be needed if the budget is too short for the fewest blocks."""
    needed_s = least_turns(campaign) * turn_s(campaign) + _warming_s(campaign)
    if campaign.rounds is not None or needed_s <= campaign.budget_s:
        return None
    needed_s = max(needed_s, campaign.budget_s + 60)  # rounded, it must not look like the budget
    return (
        f"--budget is {duration_text(campaign.budget_s)}, but the four blocks that a comparison needs at least take "
        f"about {about_text(needed_s)}, and all four are measured; for less, name fewer architectures or a shorter "
        "--duration"
    )


def is_warmed(campaign: Campaign) -> bool:
    """Whether Kafka is warmed before the first run that uses it; a single block decides nothing.

    Brokers of somebody else's are not: their CPU time, by which one sees that they are warm, is not known here.
    """
    kafka = any(load_candidate(name).requires.kafka for name in campaign.architectures)
    ours = campaign.common.kafka_bootstrap is None
    return kafka and ours and campaign.rounds != 1 and campaign.jvm_warmup_s > 0


def _warming_s(campaign: Campaign) -> float:
    return min(WARMING_S, campaign.jvm_warmup_s) if is_warmed(campaign) else 0.0


def _settings(campaign: Campaign, folder: Path, number: int, rate_per_s: float, variant: Variant) -> RunSettings:
    return msgspec.structs.replace(
        settings_for(campaign.common, variant.architecture),
        label=variant.label,
        rate_per_s=rate_per_s,
        seed=campaign.common.seed + number - 1,
        out=str(folder / f"round-{number}"),
    )
