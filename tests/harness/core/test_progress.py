"""What is shown while a campaign runs, on a terminal and without one."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from harness.core.progress import CampaignProgress

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")  # colours, and moves of the cursor
KNOWN = "CPU ratios known to 14 % after 5 blocks"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def show_all(progress: CampaignProgress, clock: Clock) -> None:
    progress.aside("warming", "the brokers", at_most_s=90)
    progress.step("warm-up", "3 s", total=3)
    clock.now_s += 60
    progress.run(0, "block 1, redis")
    progress.step("measure", "4 s", total=4)
    progress.update(3, "60 said")
    clock.now_s += 20
    progress.run(1, "block 1, plan1")
    clock.now_s += 10
    progress.expect(24, KNOWN)
    progress.run(20, "block 5, plan1")


def test_without_a_terminal_each_event_is_one_line_with_the_time_that_is_left() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, width=60, highlight=False)
    with CampaignProgress(console, 20, run_s=18.0, or_more=True, clock=clock) as progress:
        show_all(progress, clock)
        progress.finish("report", "charts and page", about_s=12)
    assert out.getvalue().splitlines() == [
        "warming: the brokers · at least 8 min left",
        "run 1 of 20 or more: block 1, redis · at least 6 min left",
        "run 2 of 20 or more: block 1, plan1 · at least 6 min left",
        "so far: CPU ratios known to 14 % after 5 blocks · about 8 min left",
        "run 21 of 24: block 5, plan1 · about 60 s left",
        "report: charts and page · about 10 s left",
    ]


def test_on_a_terminal_what_is_known_stays_and_the_bar_says_how_long_it_takes() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, force_terminal=True, width=120, highlight=False)
    with CampaignProgress(console, 20, run_s=18.0, clock=clock) as progress:
        show_all(progress, clock)
    assert f"so far: {KNOWN}" in out.getvalue()
    assert "20/24" in out.getvalue()
    assert "about 60 s left" in out.getvalue()
    assert f"block 5, plan1 · {KNOWN}" in out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 200])
def test_a_narrow_terminal_cuts_the_detail_and_wraps_nothing(width: int) -> None:
    out = io.StringIO()
    progress = CampaignProgress(Console(file=out, force_terminal=True, width=width), 2)
    with progress:
        progress.run(0, "block 1, redis")
        progress.update(0, "said " * 50)
    lines = CONTROL.sub("", out.getvalue()).splitlines()
    details = [line for line in lines if "block" in line or "said" in line]
    assert all(line.startswith("block 1, redis") for line in details)
    assert 0 < max(map(len, details)) <= width
