"""How long a campaign still takes."""

from __future__ import annotations

import pytest

from harness.core.time_left import TimeLeft, about_text, left_text


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_before_a_run_has_ended_the_expectation_counts_and_afterwards_the_mean() -> None:
    clock = Clock()
    left = TimeLeft(run_s=10.0, clock=clock)
    left.begin_run()
    assert left.left_s(runs=4) == 40
    clock.now_s += 4
    assert left.left_s(runs=4) == 36
    clock.now_s += 16
    left.begin_run()
    assert left.left_s(runs=3) == 60
    clock.now_s += 10
    left.begin_run()
    assert left.left_s(runs=2) == 30


def test_without_an_expectation_nothing_is_known_until_a_run_has_ended() -> None:
    clock = Clock()
    left = TimeLeft(clock=clock)
    left.begin_run()
    assert left.left_s(runs=2) is None
    clock.now_s += 3
    left.begin_run()
    assert left.left_s(runs=1) == 3


def test_a_run_that_takes_longer_than_usual_does_not_take_from_the_others() -> None:
    clock = Clock()
    left = TimeLeft(run_s=10.0, clock=clock)
    left.begin_run()
    clock.now_s += 25
    assert left.left_s(runs=3) == 20


def test_what_is_done_aside_is_added_and_does_not_count_as_a_run() -> None:
    clock = Clock()
    left = TimeLeft(run_s=10.0, clock=clock)
    left.begin_aside(at_most_s=90)
    assert left.left_s(runs=2) == 110
    clock.now_s += 60
    assert left.left_s(runs=2) == 50
    clock.now_s += 60
    assert left.left_s(runs=2) == 20
    left.begin_run()
    assert left.left_s(runs=2) == 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.4, "3 s"), (42, "40 s"), (89, "90 s"), (100, "2 min"), (600, "10 min"), (7_700, "2 h 10 min"), (7_200, "2 h")],
)
def test_a_duration_is_rounded_as_people_say_it(seconds: float, text: str) -> None:
    assert about_text(seconds) == text
    assert left_text(seconds) == f"about {text} left"


@pytest.mark.parametrize("left_s", [None, 0.0, 2.0])
def test_what_is_not_known_or_over_in_two_seconds_is_not_said(left_s: float | None) -> None:
    assert left_text(left_s) == ""
