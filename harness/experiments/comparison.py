"""`chatbench compare`: every architecture once in each block, until the ratios are known or the time is over.

harness/experiments/campaign.py has the plan, and harness/experiments/outlook.py what is known between two blocks.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt
from harness.experiments.campaign import Campaign, check, is_warmed, plan_block, turn_s
from harness.experiments.outlook import Goal, Outlook
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import WarmBackends
from harness.experiments.turns import PlannedTurn, measure_turn, missing_turns
from harness.results.blocks import cost_contrasts
from harness.results.frames import read_records
from harness.runs.record import new_folder
from harness.runs.run import Outcome
from harness.runs.summary import Summary
from harness.runs.warming import warm

PLAN, WARMING = "campaign.json", "warming.json"


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


def run_campaign(campaign: Campaign, folder: Path, progress: CampaignProgress) -> list[Outcome]:
    """Run what is not complete yet; returns the outcomes. Raises ServiceFailed, UsageError or Interrupted."""
    raise_open_file_limit()
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


def driver_problems(runs: Sequence[Summary]) -> list[str]:
    """A sentence about each architecture in most of whose runs the driver was not valid, with the limit of one run."""
    found = []
    for name in sorted({run.arch for run in runs}):
        own = [run for run in runs if run.arch == name]
        late = [run for run in own if run.driver.valid is not True]
        if len(late) > len(own) / 2:
            why = next((said for run in late if (said := run.driver.why or run.why)), "nothing was measured")
            found.append(
                f"the driver was not valid in {len(late)} of {len(own)} runs of {name}, so that their latencies say "
                f"nothing; in the first of these, {why}"
            )
    return found


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

    def _missing_turns(self, number: int) -> list[PlannedTurn]:
        return missing_turns(plan_block(self._campaign, self._folder, number))

    def _run_block(self, number: int) -> None:
        missing = self._missing_turns(number)
        self._turns_done += self._turns_of_block - len(missing)
        for turn in missing:
            self._warm(turn[0].settings)
            self._progress.run(self._turns_done, turn[0].name)
            self._outcomes += measure_turn(turn, self._campaign.idle_s, self._backends, self._progress)
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

    def _warm(self, settings: RunSettings) -> None:
        """Warm the brokers before the first run that uses them, with the settings of that run, and record how."""
        architecture = load_candidate(settings.arch)
        max_s = self._campaign.jvm_warmup_s
        if self._is_warm or not architecture.requires.kafka or not is_warmed(self._campaign):
            return
        self._is_warm = True
        began_s = time.monotonic()
        what = "the brokers, until their compiler has little left to do"
        self._progress.aside("warming", what, at_most_s=max_s)
        backends = self._backends.backends_for(settings)
        warming = warm(backends, architecture, settings, self._folder / "logs", self._progress, max_s=max_s)
        (self._folder / WARMING).write_bytes(msgspec.json.format(msgspec.json.encode(warming)))
        self._warmed_s = time.monotonic() - began_s
