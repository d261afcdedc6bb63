"""What a comparison in blocks decides, for people and for programs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.decision import Decision, decision_lines, decision_of, decision_table
from harness.report.forest import charts_of
from harness.results.blocks import compared
from harness.results.frames import read_records
from tests.harness.results.test_blocks import write_block


@pytest.fixture
def decision(tmp_path: Path) -> Decision:
    for number in range(1, 6):
        write_block(tmp_path, number)
    (found,) = compared(read_records([tmp_path]))
    return decision_of(found)


def test_the_table_shows_each_figure_with_its_ratio_to_the_lowest(decision: Decision) -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(decision_table(decision))
    lines = out.getvalue().splitlines()
    rows = [line.split()[0] for line in lines if line.split() and line.split()[0] in ("plan1", "redis")]
    assert rows == ["redis", "plan1"]
    assert "(2.00x)" in out.getvalue()
    assert "(1.00x)" in out.getvalue()


def test_a_sentence_tells_who_is_better_and_how_sure_that_is(decision: Decision) -> None:
    first, *_, last = decision_lines(decision)
    assert first.startswith("fixed cost: CPU while nobody writes: redis has the lowest, 50")
    assert "better than: plan1 2.00 times (" in first
    assert last == "Nothing beats redis in any figure that it does not win back in another."


def test_the_ratio_of_a_pair_is_that_of_the_values(decision: Decision) -> None:
    values = {figure.name: figure.values for figure in decision.figures}
    for pair in decision.pairs:
        of = values[pair.figure]
        assert pair.ratio == pytest.approx(of[pair.first] / of[pair.second])
        assert pair.low <= pair.ratio <= pair.high


def test_who_is_beaten_in_one_figure_and_better_in_none_is_not_among_the_unbeaten(decision: Decision) -> None:
    assert decision.unbeaten == ["redis"]


def test_every_figure_has_a_chart_whose_title_says_what_one_sees(decision: Decision) -> None:
    titles = [title for _name, title, _drawn in charts_of(decision)]
    assert "fixed cost: CPU while nobody writes: redis has the lowest" in titles
    assert (
        "fixed cost: CPU while nobody writes: of 1 pairs, 1 differ, 0 are equal within 10 %, 0 are undecided" in titles
    )
