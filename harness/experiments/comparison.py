"""`chatbench compare`: every architecture in every round, interleaved, on backends that stay warm.

    round 1: A B C D    round 2: B C D A    round 3: C D A B

A machine that slows down would favour the architecture measured first, so the order changes in each round. Within a
round all architectures get the same load (the same seed); each round has a different one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.core import settings as config
from harness.core.errors import UsageError
from harness.core.options import parse_options
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import PlannedRun, in_turn, run_series, validated
from harness.runs.record import new_folder
from harness.runs.run import Outcome

PLAN = "campaign.json"


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The content of campaign.json: the plan, which is enough to resume after an interruption."""

    architectures: tuple[str, ...]
    rates_per_s: tuple[float, ...]
    rounds: int
    common: RunSettings  # the settings of every run, except arch, rate_per_s, seed and out
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
    config.in_range("--rounds", campaign.rounds, 1, config.ROUNDS_MAX)
    if len(set(campaign.architectures)) < 2:
        raise UsageError("compare needs at least two different architectures; give --arch twice or more")
    known = {option for name in campaign.architectures for option in load_candidate(name).options}
    for given in parse_options("--arch-set", campaign.common.arch_options):
        if given not in known:
            raise UsageError(f"--arch-set: none of these architectures has an option {given!r}; leave it out")
    validated(list(plan(campaign, Path())))


def plan(campaign: Campaign, folder: Path) -> Iterator[PlannedRun]:
    """All runs of the campaign, in order."""
    names = list(dict.fromkeys(campaign.architectures))
    for number in range(1, campaign.rounds + 1):
        for rate_per_s in campaign.rates_per_s:
            for name in in_turn(names, number - 1):
                settings = _settings(campaign, folder, number, rate_per_s, name)
                yield PlannedRun(f"round {number}, {name} at {rate_per_s:g} msg/s", settings)


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
    return run_series(list(plan(campaign, folder)), folder, progress, f"chatbench compare --resume {folder}")
