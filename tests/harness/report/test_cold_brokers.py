"""A comparison says so if Kafka's brokers were not warm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.report.cold_brokers import cold_brokers
from harness.report.decision_text import verdict_lines
from harness.report.html import write_report
from harness.results.frames import read_records
from harness.runs.summary import KafkaCpu
from harness.runs.warming import Warming
from tests.harness.report.records import write_record

FLAT = Warming(architecture="plan1", cpu_us_per_message=[50.0] * 3, compiler_share=[0.03] * 3)
COLD = Warming(architecture="plan1", cpu_us_per_message=[90.0] * 4, compiler_share=[0.8, 0.5, 0.45, 0.4])
SHORT = Warming(architecture="plan1", cpu_us_per_message=[90.0] * 2, compiler_share=[0.5, 0.4])
UNSEEN = Warming(architecture="plan1", cpu_us_per_message=[90.0, 60.0, 50.0], compiler_share=[None] * 3)


def comparison(
    folder: Path,
    warming: Warming | None,
    *,
    compiler_share: float = 0.1,
    blocks: int = 3,
    arches: tuple[str, ...] = ("plan1", "redis"),
    **settings: Any,
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "campaign.json").write_text("{}")
    if warming is not None:
        (folder / "warming.json").write_bytes(msgspec.json.encode(warming))
    for number in range(1, blocks + 1):
        for arch in arches:
            for rate_per_s in (20.0, 100.0):
                write_record(
                    folder / f"round-{number}",
                    arch,
                    rate_per_s=rate_per_s,
                    settings=settings,
                    idle_cpu_ms_per_s={"gateway": 10.0 + number},
                    kafka_cpu=None
                    if arch == "redis"
                    else KafkaCpu(1_000 * compiler_share, 0.0, 1_000 - 1_000 * compiler_share),
                )
    return folder


def said_of(folder: Path) -> str | None:
    return cold_brokers(read_records([folder]))


@pytest.mark.parametrize(
    ("warming", "why", "what_to_do"),
    [
        (None, "they were not kept busy before the first run", "with --jvm-warmup 90s."),
        (COLD, "their compiler still took 45 % of their CPU time", "with a longer --jvm-warmup."),
        (SHORT, "the time to warm them was too short", "with a longer --jvm-warmup."),
        (UNSEEN, "the CPU time of a message still changed", "with a longer --jvm-warmup."),
    ],
)
def test_brokers_that_were_not_warmed_or_not_until_they_were_warm_are_cold(
    tmp_path: Path, warming: Warming | None, why: str, what_to_do: str
) -> None:
    said = said_of(comparison(tmp_path, warming)) or ""
    assert said.startswith("Kafka's brokers were not warm: ")
    assert why in said
    assert "look dearer and slower than they are" in said
    assert said.endswith(what_to_do)


def test_brokers_whose_compiler_worked_for_a_third_of_the_runs_are_cold_although_they_were_warmed(
    tmp_path: Path,
) -> None:
    assert said_of(comparison(tmp_path / "a third", FLAT, compiler_share=0.33)) is None
    more = said_of(comparison(tmp_path / "more", FLAT, compiler_share=0.4)) or ""
    assert "their compiler took 40 % of their CPU time in these runs" in more
    assert more.endswith("in which they become warm.")
    restarted = comparison(tmp_path / "restarted", FLAT, compiler_share=0.4, faults=("restart:kafka@1s",))
    assert (said_of(restarted) or "").endswith("a broker that was restarted is cold again.")


def test_nothing_is_said_of_warm_brokers_of_those_of_others_or_where_there_are_none(tmp_path: Path) -> None:
    assert said_of(comparison(tmp_path / "warm", FLAT)) is None
    assert said_of(comparison(tmp_path / "theirs", None, kafka_bootstrap="192.168.1.5:9092")) is None
    assert said_of(comparison(tmp_path / "none", None, arches=("redis",))) is None
    assert said_of(comparison(tmp_path / "one block", None, blocks=1)) is None, "it decides nothing"
    single = comparison(tmp_path / "single runs", None)
    (single / "campaign.json").unlink()
    assert said_of(single) is None, "runs of nobody's comparison"


@pytest.mark.slow
def test_the_terminal_and_the_page_say_it(tmp_path: Path) -> None:
    report = write_report([comparison(tmp_path, COLD)], tmp_path)
    (decision,) = report.decisions
    said = decision.cold_brokers
    assert said is not None
    assert said in verdict_lines(decision)
    assert said.replace("'", "&#39;") in Path(report.page).read_text()
