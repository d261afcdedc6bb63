"""What a comparison in blocks decides, for people and for programs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.measure.validity import DriverVerdict
from harness.report.decision import Decision, decision_of
from harness.report.decision_charts import charts_of
from harness.report.decision_text import decision_lines, decision_table, verdict_lines
from harness.results.blocks import compared
from harness.results.frames import frames_of, read_records
from tests.harness.report.records import write_comparison, write_record
from tests.harness.results.test_blocks import write_block


@pytest.fixture(scope="module")
def decision(tmp_path_factory: pytest.TempPathFactory) -> Decision:
    folder = tmp_path_factory.mktemp("two")
    for number in range(1, 6):
        write_block(folder, number)
    return decided(folder)


@pytest.fixture(scope="module")
def of_five(tmp_path_factory: pytest.TempPathFactory) -> Decision:
    folder = tmp_path_factory.mktemp("five")
    write_comparison(folder, blocks=3, sent=100)
    return decided(folder)


def decided(folder: Path) -> Decision:
    records = read_records([folder])
    (found,) = compared(records)
    return decision_of(found, frames_of(records))


def test_the_table_shows_each_figure_with_its_ratio_to_the_lowest(decision: Decision) -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(decision_table(decision))
    lines = out.getvalue().splitlines()
    rows = [line.split()[0] for line in lines if line.split() and line.split()[0] in ("plan1", "redis")]
    assert rows == ["redis", "plan1"]
    assert "(2.00x)" in out.getvalue()
    assert "(1.00x)" in out.getvalue()


def test_a_sentence_tells_who_is_better_and_how_sure_that_is(decision: Decision) -> None:
    first, *_ = decision_lines(decision)
    assert first.startswith("fixed cost: CPU while nobody writes: redis has the lowest, 50")
    assert "better than: plan1 2.00 times (" in first


@pytest.mark.slow
def test_the_ratio_of_a_pair_is_that_of_the_values(decision: Decision) -> None:
    values = {figure.name: figure.values for figure in decision.figures}
    for pair in decision.pairs:
        of = values[pair.figure]
        assert pair.ratio == pytest.approx(of[pair.first] / of[pair.second])
        assert pair.low <= pair.ratio <= pair.high


@pytest.mark.slow
def test_who_was_left_out_of_every_figure_is_not_called_unbeaten(tmp_path: Path) -> None:
    for number in range(1, 6):
        write_block(tmp_path, number)
    late = DriverVerdict(valid=False, why="late")
    for rate_per_s in (20.0, 100.0):
        write_record(
            tmp_path / "round-2", "plan2", rate_per_s=rate_per_s, driver=late, slowness_ms=1.0, idle_slowness_ms=1.0
        )
    decision = decided(tmp_path)
    assert decision.unbeaten == ["redis"]
    assert decision.verdict.choice == "redis"
    assert any(line.endswith("n/a for plan2: measured in only 1 of 5 blocks.") for line in decision_lines(decision))


def test_who_is_beaten_in_one_figure_and_better_in_none_is_not_among_the_unbeaten(decision: Decision) -> None:
    assert decision.unbeaten == ["redis"]


def test_the_choice_is_who_is_not_beaten_with_what_does_not_survive_and_what_was_delivered(decision: Decision) -> None:
    _load, choice, *because = map(str, verdict_lines(decision))
    assert choice.startswith("For this workload: redis, because no other beats it")
    assert because[0].startswith("With redis, an acked message does not survive a restart of the backend.")
    assert because[0].endswith("If it must: plan1.")
    assert because[1].startswith("Both made every expected delivery once and in order (20,000 deliveries in 20 runs")


def test_a_value_has_an_interval_around_it_and_says_how_many_messages_it_rests_on(decision: Decision) -> None:
    fixed, _marginal, median, *_ = decision.figures
    low, high = fixed.intervals["redis"]
    assert low < fixed.values["redis"] < high
    assert fixed.messages is None
    assert median.messages == 5_000
    assert median.rests_on == "5 blocks, 5,000 messages or more of each architecture"


def test_every_figure_has_a_chart_whose_title_says_what_one_sees(decision: Decision) -> None:
    titles = [chart.drawn.get_suptitle().replace("\n", " ") for chart in charts_of(decision) if chart.drawn is not None]
    assert titles[0].startswith("fixed cost: redis has the lowest, 50")
    assert titles[0].endswith("better than: plan1")
    assert "fixed cost, plan1 against redis: redis is better" in titles


@pytest.mark.slow
def test_where_too_few_messages_support_a_percentile_the_page_says_so_in_the_charts_place(of_five: Decision) -> None:
    charts = {chart.name: chart for chart in charts_of(of_five)}
    p99 = charts["decision-4-values"]
    assert p99.drawn is None
    assert p99.instead == "p99 delivery latency at 20 msg/s: n/a: 300 messages, 1,000 needed"


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.slow
def test_a_comparison_of_five_fits_on_a_screen(of_five: Decision, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    for part in (*verdict_lines(of_five), decision_table(of_five), *decision_lines(of_five)):
        console.print(part)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 45
    assert all(len(line) <= width for line in lines)
