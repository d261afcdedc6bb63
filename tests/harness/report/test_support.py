"""The sentences on what a chart rests on, and on who is the lowest in it."""

from __future__ import annotations

from harness.report.support import lowest_and_highest


def test_the_lowest_and_the_highest_are_named_as_the_docstring_shows() -> None:
    said = lowest_and_highest({"plan1": 4.4, "plan2": 3.0, "redis": 2.2}, "ms")
    assert said == "redis the least, 2.2 ms; plan1 the most, 4.4 ms, 2.0 times as much"
    assert f"`{said}`" in (lowest_and_highest.__doc__ or "")


def test_figures_that_are_close_are_not_ranked() -> None:
    assert lowest_and_highest({"plan1": 4.4, "redis": 4.3}, "ms") == "4.3 to 4.4 ms, about the same in all"
