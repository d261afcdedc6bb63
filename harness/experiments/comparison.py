"""`chatbench compare`: every architecture once in each block, until the ratios are known or the time is over.

    block 1: A B D C    block 2: B C A D    block 3: C D B A    block 4: D A C B

The orders are balanced for position and for carry-over. Within a block all architectures get the same load (the same
seed); each block has a different one. In its turn an architecture starts once, and is measured idle and at each rate.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.analysis.order import order_of_block
from harness.analysis.stopping import BLOCKS_MIN
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.options import parse_options
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt
from harness.core.time_left import about_text
from harness.core.units import duration_text
from harness.experiments.outlook import Goal, Outlook
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import PlannedRun, WarmBackends, not_complete, validated
from harness.results.blocks import cost_contrasts
from harness.results.frames import read_records
from harness.runs.record import Record, new_folder
from harness.runs.run import Outcome
from harness.runs.turn import Turn, run_turn
from harness.runs.warming import WARMING_MAX_S, warm

PLAN, WARMING = "campaign.json", "warming.json"
BUDGET_S, BUDGET_MAX_S = 600.0, 86_400.0
PRECISION = 0.1
IDLE_S = 2.0
# How long a turn takes on two cores beside its phases, by experience: the start, the joins and the end, and the drain.
START_AND_STOP_S = 5.0
DRAIN_S = 0.7


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The content of campaign.json: the plan, which is enough to resume after an interruption."""

    architectures: tuple[str, ...]
    rates_per_s: tuple[float, ...]
    rounds: int | None  # measure exactly so many blocks; None: go by `precision` and `budget_s`
    common: RunSettings  # the settings of every run, except arch, rate_per_s, seed and out
    budget_s: float = BUDGET_S  # of measuring; a block that would not end in it is not begun
    precision: float = PRECISION  # the half-width of the intervals of CPU ratios to stop at
    idle_s: float = IDLE_S
    command: tuple[str, ...] = ()


def begin(campaign: Campaign, out: str) -> Path:
    """Make the folder of a new campaign; raises UsageError if the plan is not valid."""
    check(campaign)
    scenario = find_scenario(campaign.common.scenario)
    folder = new_folder(config.make_out_dir(out), f"compare-{scenario.stem}")
    note(folder, PLAN, campaign)
    return folder


def resume(folder: Path) -> Campaign:
    """The campaign in that folder; raises UsageError if there is none."""
    campaign = read_again(folder, PLAN, Campaign, "compare")
    check(campaign)
    return campaign


def check(campaign: Campaign) -> None:
    """Raise UsageError for the first part of the plan that is not valid."""
    if campaign.rounds is not None:
        config.in_range("--rounds", campaign.rounds, 1, config.ROUNDS_MAX)
    config.in_range("--budget", campaign.budget_s, 1, BUDGET_MAX_S)
    config.in_range("--precision", campaign.precision, 0.01, 1)
    if len(set(campaign.architectures)) < 2:
        raise UsageError("compare needs at least two different architectures; give --arch twice or more")
    known = {option for name in campaign.architectures for option in load_candidate(name).options}
    for given in parse_options("--arch-set", campaign.common.arch_options):
        if given not in known:
            raise UsageError(f"--arch-set: none of these architectures has an option {given!r}; leave it out")
    validated([run for turn in plan_block(campaign, Path(), 1) for run in turn])


def plan_block(campaign: Campaign, folder: Path, number: int) -> Iterator[list[PlannedRun]]:
    """The turns of a block, which counts from 1: the runs of one architecture at each rate.

    A fault may leave nothing behind to measure at the next rate, so that with faults each rate is a turn of its own.
    """
    names = list(dict.fromkeys(campaign.architectures))
    apart = bool(campaign.common.faults)
    for rates_per_s in [(rate,) for rate in campaign.rates_per_s] if apart else [campaign.rates_per_s]:
        for name in order_of_block(names, number - 1):
            yield [
                PlannedRun(f"block {number}, {name}", _settings(campaign, folder, number, rate_per_s, name))
                for rate_per_s in rates_per_s
            ]


def least_turns(campaign: Campaign) -> int:
    """The least number of turns, which is shown before it is known how many there will be."""
    return (campaign.rounds or BLOCKS_MIN) * len(list(plan_block(campaign, Path(), 1)))


def turn_s(campaign: Campaign) -> float:
    """About how long a turn takes, before one has been made."""
    common = campaign.common
    turn = next(plan_block(campaign, Path(), 1))
    phases_s = [common.warmup_s, campaign.idle_s, *(run.settings.duration_s for run in turn)]
    return START_AND_STOP_S + sum(DRAIN_S + phase_s for phase_s in phases_s)


def too_little_time(campaign: Campaign) -> str | None:
    """A sentence that says what would be needed if the budget is too short for the fewest blocks; None if it is not."""
    needed_s = least_turns(campaign) * turn_s(campaign)
    if campaign.rounds is not None or needed_s <= campaign.budget_s:
        return None
    return (
        f"--budget is {duration_text(campaign.budget_s)}, but the four blocks that a comparison needs at least take "
        f"about {about_text(needed_s)}, and all four are measured; for less, name fewer architectures or a shorter "
        "--duration"
    )


def _settings(campaign: Campaign, folder: Path, number: int, rate_per_s: float, name: str) -> RunSettings:
    common = campaign.common
    architecture = load_candidate(name)
    uses_kafka = architecture.requires.kafka
    return msgspec.structs.replace(
        common,
        arch=name,
        rate_per_s=rate_per_s,
        seed=common.seed + number - 1,
        out=str(folder / f"round-{number}"),
        # Settings of Kafka are left out for architectures without it.
        brokers=common.brokers if uses_kafka else 1,
        partitions=common.partitions if uses_kafka else None,
        kafka_bootstrap=common.kafka_bootstrap if uses_kafka else None,
        kafka_properties=common.kafka_properties if uses_kafka else None,
        nats_url=common.nats_url if architecture.requires.nats else None,
        redis_url=common.redis_url if architecture.requires.any_redis else None,
        arch_options=tuple(given for given in common.arch_options if given.partition("=")[0] in architecture.options),
    )


def run_campaign(campaign: Campaign, folder: Path, progress: CampaignProgress) -> list[Outcome]:
    """Run what is not complete yet; returns the outcomes. Raises ServiceFailed, UsageError or Interrupted."""
    config.raise_open_file_limit()
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    settings = [run.settings for turn in plan_block(campaign, folder, 1) for run in turn]
    go_on_with = f"chatbench compare --resume {folder}"
    with signals_interrupt(), WarmBackends(settings, logs) as backends:
        try:
            return _Measuring(campaign, folder, progress, backends).go()
        except ServiceFailed as problem:
            raise ServiceFailed(f"{problem}; resume with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; resume with: {go_on_with}") from None


class _Measuring:
    """The blocks of one campaign, one after the other."""

    def __init__(self, campaign: Campaign, folder: Path, progress: CampaignProgress, backends: WarmBackends) -> None:
        self._campaign = campaign
        self._folder = folder
        self._progress = progress
        self._backends = backends
        self._outcomes: list[Outcome] = []
        self._turns_of_block = len(list(plan_block(campaign, folder, 1)))
        self._turns_done = 0
        self._is_warm = False
        self._warmed_s = 0.0

    def go(self) -> list[Outcome]:
        deadline_s = time.monotonic() + self._campaign.budget_s
        blocks = self._complete_blocks()
        longest_s = 0.0
        while not (blocks and self._is_enough(blocks, deadline_s - time.monotonic(), longest_s)):
            blocks += 1
            began_s, warmed_s = time.monotonic(), self._warmed_s
            self._run_block(blocks)
            longest_s = max(longest_s, time.monotonic() - began_s - (self._warmed_s - warmed_s))
        return self._outcomes

    def _complete_blocks(self) -> int:
        """How many blocks an earlier start of this comparison has completed."""
        number = next(number for number in itertools.count(1) if self._missing_turns(number))
        self._turns_done = (number - 1) * self._turns_of_block
        return number - 1

    def _missing_turns(self, number: int) -> list[list[PlannedRun]]:
        turns = list(plan_block(self._campaign, self._folder, number))
        missing = not_complete([run for turn in turns for run in turn])
        return [turn for turn in turns if any(run in missing for run in turn)]

    def _run_block(self, number: int) -> None:
        missing = self._missing_turns(number)
        self._turns_done += self._turns_of_block - len(missing)
        for turn in missing:
            self._warm(turn[0].settings)
            self._progress.run(self._turns_done, turn[0].name)
            self._run_turn(turn)
            self._turns_done += 1

    def _is_enough(self, blocks: int, left_s: float, longest_s: float) -> bool:
        """Whether to stop after so many blocks, if the next may take `longest_s`. If not, tells the progress."""
        campaign = self._campaign
        block_s = longest_s or self._turns_of_block * turn_s(campaign)
        affordable = blocks + max(0, int(left_s / block_s))
        found = cost_contrasts(read_records([self._folder]))
        outlook = Outlook(Goal(campaign.rounds, campaign.precision), blocks, found, affordable)
        if not outlook.is_enough:
            turns = outlook.expected * self._turns_of_block
            self._progress.expect(turns, outlook.known(), or_more=outlook.is_least)
        return outlook.is_enough

    def _run_turn(self, planned: Sequence[PlannedRun]) -> None:
        settings = planned[0].settings
        architecture = load_candidate(settings.arch)
        scenario = find_scenario(settings.scenario)
        backends = self._backends.backends_for(settings)
        out = config.make_out_dir(settings.out)
        records = [Record(out, each.settings, scenario.stem, architecture) for each in planned]
        turn = Turn(architecture, scenario, records, self._campaign.idle_s)
        self._outcomes += run_turn(turn, backends, self._progress)

    def _warm(self, settings: RunSettings) -> None:
        """Warm the brokers before the first run that uses them, and record how; a single block decides nothing."""
        architecture = load_candidate(settings.arch)
        if self._is_warm or not architecture.requires.kafka or self._campaign.rounds == 1:
            return
        self._is_warm = True
        began_s = time.monotonic()
        what = "the brokers, until a message costs them the same again and again"
        self._progress.aside("warming", what, at_most_s=WARMING_MAX_S)
        backends = self._backends.backends_for(settings)
        warming = warm(backends, architecture, self._campaign.common, self._folder / "logs", self._progress)
        (self._folder / WARMING).write_bytes(msgspec.json.format(msgspec.json.encode(warming)))
        self._warmed_s = time.monotonic() - began_s
