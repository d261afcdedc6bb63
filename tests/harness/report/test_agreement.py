"""What the report says of two comparisons of the same load."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.measure.validity import DriverVerdict
from harness.report.agreement import Agreement, agreement_lines, agreements_of
from tests.harness.report.records import write_record


def write_comparison(folder: Path, *costs_us: float, rates_per_s: tuple[float, ...] = (20.0, 100.0)) -> Path:
    """A comparison of four blocks, in which the architectures cost that much, and latencies do not count."""
    folder.mkdir()
    (folder / "campaign.json").write_text("{}")
    for number in range(1, 5):
        block = folder / f"round-{number}"
        block.mkdir()
        for place, (arch, cost_us) in enumerate(zip(("plan1", "plan2", "redis"), costs_us, strict=False)):
            noise = 1 + ((number * (3 + place)) % 5) / 300
            for rate_per_s in rates_per_s:
                write_record(
                    block,
                    arch,
                    cost_us=cost_us * noise,
                    rate_per_s=rate_per_s,
                    sent=1_000,
                    idle_cpu_ms_per_s={"gateway": 5 * cost_us * noise, "redis" if arch == "redis" else "kafka": 0.0},
                    slowness_ms=1.0,
                    idle_slowness_ms=1.0,
                    driver=DriverVerdict(valid=False, why="late"),
                )
    return folder


def both(tmp_path: Path, one: tuple[float, ...], other: tuple[float, ...]) -> Agreement:
    (found,) = agreements_of([write_comparison(tmp_path / "A", *one), write_comparison(tmp_path / "B", *other)])
    return found


@pytest.mark.slow
def test_two_comparisons_that_say_the_same_agree_about_every_pair(tmp_path: Path) -> None:
    found = both(tmp_path, (20, 10, 10), (21, 10.2, 10))
    assert {(pair.first, pair.second): pair.match for pair in found.pairs} == {
        ("plan1", "plan2"): "agree",
        ("plan1", "redis"): "agree",
        ("plan2", "redis"): "agree",
    }
    assert list(agreement_lines(found)) == [
        f"Of 3 pairs that {tmp_path}/A and {tmp_path}/B both compared, 3 agree and 0 contradict each other."
    ]


@pytest.mark.slow
def test_a_contradiction_is_named_with_its_pair_its_figure_and_both_ratios(tmp_path: Path) -> None:
    found = both(tmp_path, (20, 10, 10), (10, 20, 10))
    first, *rest = agreement_lines(found)
    assert "0 agree and 1 contradict each other; 2 differ (better in one, equal in the other)." in first
    contradictions = [line for line in rest if line.startswith("CONTRADICTION")]
    assert len(contradictions) == len(found.pairs[0].figures)
    fixed = next(line for line in contradictions if "fixed cost" in line)
    assert "plan1 is 2.0" in fixed
    assert "plan2 is better in" in fixed
    assert "plan1 is 0.5" in fixed
    assert fixed.endswith(f"plan1 is better in {tmp_path}/B.")


@pytest.mark.slow
def test_only_comparisons_of_the_same_load_are_set_side_by_side(tmp_path: Path) -> None:
    one = write_comparison(tmp_path / "A", 20, 10)
    run = one / "round-1"
    assert agreements_of([one]) == []
    assert agreements_of([one, one]) == []
    assert agreements_of([one, run]) == [], "single runs are no comparison"
    other = write_comparison(tmp_path / "B", 20, 10)
    for manifest in other.rglob("manifest.json"):
        manifest.write_text(manifest.read_text().replace('"payload_bytes": 100', '"payload_bytes": 200'))
    assert agreements_of([one, other]) == []


def test_comparisons_of_the_same_load_at_other_rates_say_why_nothing_can_be_told(tmp_path: Path) -> None:
    one = write_comparison(tmp_path / "A", 20, 10)
    other = write_comparison(tmp_path / "B", 20, 10, rates_per_s=(20.0, 200.0))
    (found,) = agreements_of([one, other])
    assert list(agreement_lines(found)) == [
        f"Whether {one} and {other} agree cannot be told: {one} was measured at 20 and 100 msg/s, "
        f"and {other} at 20 and 200 msg/s."
    ]


def test_a_pair_that_the_page_does_not_judge_because_messages_were_lost_does_not_agree_either(tmp_path: Path) -> None:
    one, other = (write_comparison(tmp_path / name, 20, 10, 15) for name in "AB")
    summary = next(one.rglob("*-plan1-*/summary.json"))
    summary.write_text(summary.read_text().replace('"lost": 0', '"lost": 1'))
    (found,) = agreements_of([one, other])
    assert [(pair.first, pair.second) for pair in found.pairs] == [("plan2", "redis")]


def test_the_pairs_are_those_that_both_have(tmp_path: Path) -> None:
    found = both(tmp_path, (20, 10, 10), (20, 10))
    assert [(pair.first, pair.second) for pair in found.pairs] == [("plan1", "plan2")]
