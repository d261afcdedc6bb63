"""The page of a search for capacities."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt, Objective
from harness.experiments.capacity import Search, capacity_of
from harness.report.capacity import half_text
from harness.report.capacity_page import write_capacity

HELD = Attempt(
    rate_per_s=400,
    members=100,
    held=True,
    why=None,
    p50_ms=5,
    p99_ms=50,
    deliveries_per_s=40_000,
    driver_valid=True,
    saturated=[],
    cores_used={"gateway": 0.41, "locust": 0.2, "audience": 0.3, "redis": 0.05},
    record="r",
)
BROKEN = replace(HELD, rate_per_s=800, held=False, why="p99 was 900 ms", broke=["p99 was too high"], p99_ms=900)
SEARCH = Search(
    architectures=("direct", "redis", "plan1"),
    scenario="big_room",
    objective=Objective(),
    start=200,
    precision=0.1,
    budget_s=600,
    settings=RunSettings(arch="redis", duration_s=6, label="<b>"),
    capacities=[
        capacity_of("direct", [HELD] * 3 + [BROKEN] * 3),
        capacity_of("redis", [HELD]),
        capacity_of("plan1", []),
    ],
    command=("chatbench", "capacity", "--arch", "a b"),
)


def test_it_has_the_limits_the_chart_and_every_run(tmp_path: Path) -> None:
    page = write_capacity(SEARCH, tmp_path)
    text = page.read_text()
    assert "chatbench: capacity of direct, redis, plan1" in text
    assert "95 in 100 at" in text
    assert "nothing was tried within the budget" in text
    assert text.count("<td>broke: p99 was 900 ms</td>") == 3
    assert "cores used where most was delivered: driver 0.50, gateway 0.41, redis 0.05" in text
    assert "Every run of redis" in text
    assert "Every run of plan1" not in text
    assert "chatbench capacity --arch &#39;a b&#39;" in text
    assert (tmp_path / "charts" / "capacity.png").is_file()


def test_it_needs_no_network_and_escapes_what_the_user_gave(tmp_path: Path) -> None:
    text = write_capacity(SEARCH, tmp_path).read_text()
    assert not re.search(r'(?:src|href)="https?:', text)
    assert "<b>" not in text
    assert "default-src 'none'" in text


def test_an_interval_whose_end_was_never_tried_has_none() -> None:
    few = capacity_of("plan2", [HELD, replace(HELD, rate_per_s=800), replace(BROKEN, rate_per_s=900)])
    assert few.half is not None
    assert few.half.high > 4 * 900
    assert half_text(few).endswith(" or more)")
    many = capacity_of("plan2", [HELD] * 3 + [BROKEN] * 3)
    assert " to " in half_text(many)
