"""The speed-up with more gateways, as a table and as a chart, from made-up searches."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from harness.analysis.holding import Estimate
from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt, Objective
from harness.experiments.axis import Over
from harness.experiments.capacity import Search, capacity_of
from harness.experiments.contestants import contestants_of
from harness.report.capacity import capacity_table
from harness.report.capacity_chart import knees
from harness.report.capacity_page import write_capacity
from harness.report.speedup import speedup_table, speedups
from harness.report.speedup_chart import speedup
from tests.harness.experiments.test_capacity import FULL, attempt
from tests.harness.report.chart_rules import assert_says_what_one_sees

GATEWAYS = (1, 2, 4, 8)
ALONE = {"direct": 12_000, "plan1": 1000, "redis": 4000}


def limit(arch: str, gateways: int) -> float:
    """plan1 has contention, and redis has none."""
    contention = 0.5 if arch == "plan1" else 0.0
    return ALONE[arch] * gateways / (1 + contention * (gateways - 1))


def attempts(arch: str, gateways: int, full_from: int) -> list[Attempt]:
    shares = (0.3, 0.6, 0.8, 0.9, 0.95, 1.05, 1.1, 1.3, 1.8)
    tried = [attempt(float(f"{limit(arch, gateways) * share:.4g}"), held=share < 1) for share in shares]
    return [replace(each, saturated=[FULL] if gateways >= full_from and not each.held else []) for each in tried]


def search(*architectures: str, full_from: int = 99) -> Search:
    """The search for these architectures, where the machine was full from that number of gateways on."""
    plan = Search(
        architectures=architectures,
        scenario="big_room",
        objective=Objective(),
        over=Over.GATEWAYS,
        gateways=GATEWAYS,
        start=200.0,
        precision=0.1,
        budget_s=600.0,
        settings=RunSettings(arch=architectures[0], duration_s=6),
    )
    return plan.with_found(
        [
            capacity_of(each.arch, attempts(each.arch, each.gateways or 0, full_from), Over.GATEWAYS, each.gateways)
            for each in contestants_of(architectures, GATEWAYS)
        ]
    )


def printed(found: Search) -> str:
    console = Console(width=250, file=None)
    with console.capture() as captured:
        console.print(capacity_table(found))
        console.print(speedup_table(found))
    return captured.get()


def test_the_speed_up_is_that_of_the_limits() -> None:
    found = search("plan1", "redis")
    assert [each.times.value for each in speedups(found, "redis")] == pytest.approx([1, 2, 4, 8], rel=0.05)
    assert [each.times.value for each in speedups(found, "plan1")] == pytest.approx([1, 1.33, 1.6, 1.78], rel=0.05)
    assert all(each.times.low < each.times.value < each.times.high for each in speedups(found, "redis")[1:])


def test_the_table_has_the_speed_up_and_the_law_of_each() -> None:
    lines = printed(search("direct", "plan1", "redis")).splitlines()
    direct, plan1, _redis = (line for line in lines[-6:] if line.split()[:1] in (["direct"], ["plan1"], ["redis"]))
    assert direct.split()[:5] == ["direct", "1", "-", "-", "-"]
    assert re.search(r"sigma 0\.\d+ \(0\.\d+ to 0\.\d+\), kappa 0\.\d+ \(0 to 0\.\d+\), R2 1\.00$", plan1.strip())


def test_where_the_machine_was_the_limit_it_may_be_faster_and_no_law_is_fitted() -> None:
    text = printed(search("redis", full_from=4))
    assert "> 4.0" in text or "> 3.9" in text
    assert "not fitted: its own limit with 4, 8 gateways is not known well, and a fit takes 4 limits" in text


def test_where_the_first_limit_is_not_its_own_no_speed_up_is_known() -> None:
    found = search("redis", full_from=1)
    assert speedups(found, "redis") == []
    assert printed(found).count("not known") >= len(GATEWAYS)


def test_a_limit_that_is_known_only_roughly_gives_no_speed_up() -> None:
    plan = search("redis")
    few = [replace(each, half=Estimate(value=8000, low=2000, high=90_000)) for each in plan.capacities[1:2]]
    found = plan.with_found([plan.capacities[0], *few, *plan.capacities[2:]])
    assert [each.gateways for each in speedups(found, "redis")] == [1, 4, 8]
    assert "its own limit with 2 gateways is not known well" in printed(found)


def test_a_number_of_gateways_with_which_no_run_held_points_down() -> None:
    plan = search("redis")
    none = capacity_of("redis", [attempt(100, held=False)], Over.GATEWAYS, 8)
    drawn = speedup(plan.with_found([*plan.capacities[:3], none]))
    assert [line.get_marker() for line in drawn.axes[0].lines].count("v") == 1
    assert "points down" in " ".join(drawn.get_supxlabel().split())


@pytest.mark.parametrize("full_from", [1, 4, 99])
def test_the_chart_says_what_one_sees(full_from: int) -> None:
    assert_says_what_one_sees(speedup(search("direct", "plan1", "redis", full_from=full_from)), "speedup")


def test_the_chart_has_a_curve_where_the_law_was_fitted_and_the_ideal_beside_it() -> None:
    limits, times = speedup(search("direct", "plan1", "redis")).axes
    assert sum(len(np.asarray(line.get_xdata())) == 100 for line in limits.lines) == 2
    (ideal,) = (line for line in times.lines if np.asarray(line.get_xydata()).tolist() == [[1, 1], [8, 8]])
    assert ideal.get_linestyle() == "--"
    assert sorted(each.get_text() for each in limits.texts) == ["direct", "plan1", "redis"]


@pytest.mark.slow
def test_a_search_over_gateways_has_the_knees_of_each_number_as_well(tmp_path: Path) -> None:
    page = write_capacity(search("direct", "redis"), tmp_path).read_text(encoding="utf-8")
    assert page.index("Times the limit with the fewest gateways") < page.index("The limit with each number of gateways")
    assert "Every run of redis with 4 gateways" in page
    assert page.index('id="speedup') < page.index('id="capacity_1_gateways')
    assert {each.stem for each in (tmp_path / "charts").glob("*.png")} == {
        "speedup",
        *(f"capacity_{number}_gateways" for number in GATEWAYS),
    }


@pytest.mark.slow
def test_a_search_whose_only_run_says_nothing_of_the_architecture_has_its_page(tmp_path: Path) -> None:
    """The first run broke because the machine was full, and the budget was over."""
    plan = search("redis")
    full = capacity_of("redis", [replace(attempt(20, held=False), saturated=[FULL])], Over.GATEWAYS, 1)
    untried = [capacity_of("redis", [], Over.GATEWAYS, number) for number in GATEWAYS[1:]]
    page = write_capacity(plan.with_found([full, *untried]), tmp_path).read_text(encoding="utf-8")
    assert "not tried" in page or "not known" in page


def test_the_knees_of_a_number_of_gateways_say_which() -> None:
    title = " ".join(knees(search("plan1", "redis").on(4)).get_suptitle().split())
    assert title.endswith("(big_room, 100 members, 4 gateways)")
    assert "redis 16," in title or "redis 15," in title


def test_a_search_goes_on_with_what_each_number_of_gateways_has_found() -> None:
    found = search("plan1", "redis", full_from=4)
    again = msgspec.json.decode(msgspec.json.encode(found), type=Search)
    assert again == found
    for each in again.contestants:
        assert again.attempts_of(each) == attempts(each.arch, each.gateways or 0, 4)
        assert again.settings_of(each, 100).gateways == each.gateways
