"""The search for capacities, on made-up architectures that break at a given rate."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from harness.analysis.holding import RUNG
from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt, Objective, failed_attempt
from harness.experiments.axis import Bounds, Over
from harness.experiments.capacity import RUNS_MAX, Capacity, Search, capacity_of, next_load, next_processes
from harness.experiments.contestants import Contestant
from harness.report.capacity import attempts_table, capacity_table, half_text, limit_text
from harness.report.capacity_chart import knees
from tests.harness.report.chart_rules import assert_says_what_one_sees

FULL = "the machine (1.9 of 2 cores, most by gateway)"


def attempt(rate_per_s: float, *, held: bool) -> Attempt:
    return Attempt(
        rate_per_s=rate_per_s,
        members=100,
        held=held,
        why=None if held else "p99 was 900 ms",
        broke=[] if held else ["p99 was too high"],
        p50_ms=5,
        p99_ms=50 if held else 900,
        deliveries_per_s=rate_per_s,
        achieved=1.0 if held else 0.7,
        driver_valid=True,
        saturated=[],
        record="r",
    )


def search(*capacities: Capacity, start: float = 200.0) -> Search:
    return Search(
        architectures=tuple(each.arch for each in capacities),
        scenario="big_room",
        objective=Objective(p99_ms=200),
        start=start,
        precision=0.1,
        budget_s=600,
        settings=RunSettings(arch="redis", duration_s=6),
        capacities=list(capacities),
    )


def found(holds: Callable[[float, int], bool], start: float) -> list[Attempt]:
    """Every attempt of a search, where `holds` says what happens at a rate the n-th time it is tried."""
    attempts: list[Attempt] = []
    while (rate := next_load(search(start=start), attempts)) is not None:
        tried = sum(each.rate_per_s == rate for each in attempts)
        attempts.append(attempt(rate, held=holds(rate, tried)))
    return attempts


@pytest.mark.slow
@settings(max_examples=20)
@given(limit=st.floats(2.0, 500_000.0), start=st.floats(1.0, 10_000.0))
def test_it_finds_the_limit_as_closely_as_asked(limit: float, start: float) -> None:
    capacity = capacity_of("plan1", found(lambda rate, _tried: rate <= limit, start))
    assert len(capacity.attempts) <= RUNS_MAX
    assert capacity.half is not None
    # It holds at every rung of the ladder up to the limit, so that it may break anywhere from there to the next rung;
    # and one time in twenty the limit may lie a little outside the interval.
    assert capacity.half.low <= RUNG * limit
    assert limit <= 1.05 * capacity.half.high
    assert capacity.half.half_width <= 0.1


def test_a_rate_that_held_by_luck_is_not_the_capacity() -> None:
    # 100 is sustained. Above it, up to 150, the first run of a rate holds and the others do not.
    capacity = capacity_of("plan1", found(lambda rate, tried: rate <= 100 or (rate <= 150 and tried == 0), 50))
    assert capacity.sure is not None
    assert capacity.sure.value < 115


def test_a_search_over_members_leaves_the_rate_as_it_is() -> None:
    over = replace(search(), over=Over.MEMBERS, settings=RunSettings(arch="redis", rate_per_s=10.0))
    tried: list[Attempt] = []
    while (members := next_load(over, tried)) is not None:
        settings = over.settings_of(Contestant("redis"), members)
        assert settings.rate_per_s == 10
        assert settings.members == members
        tried.append(replace(attempt(10.0, held=members <= 3000), members=settings.members))
    capacity = capacity_of("redis", tried, over.over)
    assert capacity.half is not None
    assert capacity.half.low <= RUNG * 3000
    assert capacity.half.high >= 3000
    assert over.fixed == "big_room, 10 messages/s"
    assert_says_what_one_sees(knees(replace(over, architectures=("redis",), capacities=[capacity])), "capacity")


def test_what_holds_at_no_rate_ends_at_the_least_one() -> None:
    attempts = found(lambda _rate, _tried: False, 50)
    assert len(attempts) < RUNS_MAX
    capacity = capacity_of("plan1", attempts)
    assert (capacity.half, capacity.highest_held) == (None, None)
    assert half_text(capacity) == f"< {capacity.lowest_broken:,g}"


def test_a_search_ends_where_the_gateways_take_no_more() -> None:
    held: list[Attempt] = []
    while (rate := next_load(search(start=100), held, Bounds(1, 200))) is not None:
        held.append(attempt(rate, held=True))
    assert max(each.rate_per_s for each in held) == 200
    capacity = capacity_of("plan1", held)
    assert capacity.at_least
    assert half_text(capacity) == "> 200"
    assert limit_text(capacity) == "no run broke; higher loads were not tried"


HELD = [attempt(rate, held=True) for rate in (200, 800, 1000, 1100)]
BROKE = [attempt(rate, held=False) for rate in (3200, 1600, 1300)]


def test_what_broke_by_itself_has_that_capacity() -> None:
    capacity = capacity_of("redis", [*HELD, *BROKE])
    assert not capacity.at_least
    assert capacity.half is not None
    assert 1100 < capacity.half.value < 1300
    assert not half_text(capacity).startswith(">")
    assert limit_text(capacity) == "p99 was too high in 3 of 3; full was no process, by its CPU time"


@pytest.mark.parametrize(
    ("change", "limit", "says"),
    [
        ({"driver_valid": False, "broke": ["the driver was not valid"]}, "the driver", "the driver was not valid in 3"),
        (
            {"saturated": [FULL, "gateway 1 (97% of a core)"]},
            "the machine",
            "full was the machine in 3 of 3, gateway 1",
        ),
    ],
)
def test_what_the_driver_or_the_machine_broke_may_take_more(change: dict[str, object], limit: str, says: str) -> None:
    capacity = capacity_of("redis", [*HELD, *(replace(each, **change) for each in BROKE)])
    assert capacity.limited_by == limit
    assert half_text(capacity).startswith("> ")
    assert limit_text(capacity).startswith(f"{limit} was the limit, not the architecture: ")
    assert says in limit_text(capacity)


def test_a_run_that_failed_under_load_is_one_that_broke() -> None:
    failed = failed_attempt(RunSettings(arch="redis", rate_per_s=1600), "the run failed: gateway 1 was killed", "r")
    capacity = capacity_of("redis", [*HELD, failed])
    assert capacity.broke == {"the run failed": 1}
    assert capacity.limited_by == "a failure of the run"
    assert half_text(capacity).startswith("> ")


def test_what_is_full_far_above_the_limit_says_nothing_about_it() -> None:
    far = [replace(attempt(rate, held=False), saturated=[FULL]) for rate in (3200, 6400, 12_800)]
    capacity = capacity_of("redis", [*HELD, attempt(1300, held=False), *far])
    assert capacity.limited_by is None


LATE = [replace(each, driver_valid=False, broke=["the driver was not valid"]) for each in BROKE]
TWO = search(capacity_of("redis", [*HELD, *LATE]), capacity_of("plan1", [attempt(100, held=True), *BROKE]))


def test_the_table_has_a_row_for_each_architecture() -> None:
    console = Console(width=200, record=True, file=None)
    with console.capture() as captured:
        console.print(capacity_table(TWO))
        console.print(attempts_table(TWO.capacities[0], TWO.over))
    printed = captured.get()
    assert "capacity · big_room, 100 members · p99 <= 200 ms, nothing lost, all sent" in printed
    assert printed.count("redis  ") == 1
    assert printed.count("unknown: p99 was 900 ms") == 3


def test_the_chart_has_a_line_and_a_band_for_each() -> None:
    drawn = knees(TWO)
    assert_says_what_one_sees(drawn, "capacity")
    share, latency = drawn.axes
    named = [f"{each.arch} {half_text(each).partition(' (')[0]}" for each in TWO.capacities]
    assert sorted(each.get_text() for each in latency.texts) == sorted(named)
    assert len(share.patches) == len(latency.patches) == 2
    crosses = [np.asarray(line.get_xydata()).tolist() for line in latency.lines if line.get_marker() == "x"]
    assert sorted(crosses) == [[[rate, 900]] for rate in (1300, 1600, 3200)]
    assert "redis > " in drawn.get_suptitle()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"precision": 2.0}, "--precision"),
        ({"start": 0.1}, "--from"),
        ({"budget_s": 0.0}, "--budget"),
        ({"objective": Objective(p99_ms=0.1)}, "--slo"),
        ({"architectures": ("redis", "redis")}, "--arch names an architecture twice"),
        ({"settings": RunSettings(arch="redis", arch_options=("dedup=1",))}, "has an option 'dedup'"),
    ],
)
def test_a_search_that_cannot_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        replace(search(capacity_of("redis", [])), **change).check()


def driver_full(rate_per_s: float, processes: int) -> Attempt:
    full = ["audience (95% of a core)"]
    broken = replace(attempt(rate_per_s, held=False), broke=["the driver was not valid"], driver_valid=False)
    return replace(broken, saturated=full, processes=processes)


def test_the_driver_gets_a_process_more_where_it_was_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    attempts = [attempt(400, held=True), driver_full(800, processes=1)]
    plan = replace(search(), more_processes=True)
    assert next_processes(plan, []) == 1
    assert next_processes(plan, attempts) == 2
    assert next_processes(search(), attempts) == 1  # the user said how many
    attempts += [replace(attempt(800, held=True), processes=2)]
    assert next_processes(plan, attempts) == 2
    attempts += [driver_full(1600, processes=2)]
    assert next_processes(plan, attempts) == 2  # no more than cores


def test_a_run_with_too_few_processes_says_nothing_about_the_architecture() -> None:
    attempts = [attempt(400, held=True), driver_full(800, processes=1)]
    assert capacity_of("redis", attempts).lowest_broken == 800
    with_more = [*attempts, replace(attempt(800, held=True), processes=2)]
    known = capacity_of("redis", with_more)
    assert (known.lowest_broken, known.highest_held, known.half) == (None, 800, None)
    assert known.attempts == with_more


def test_the_floor_has_one_gateway_beside_others_that_have_four() -> None:
    plan = replace(search(), architectures=("direct", "redis"), settings=RunSettings(arch="redis", gateways=4))
    plan.check()
    assert plan.settings_of(Contestant("direct"), 100).gateways is None
    assert plan.settings_of(Contestant("redis"), 100).gateways == 4


def test_the_chart_shows_where_the_driver_alone_breaks() -> None:
    floor = capacity_of("direct", [*(attempt(400, held=True),) * 4, *(attempt(800, held=False),) * 4])
    cut = [replace(attempt(400, held=False), saturated=[FULL]), *(attempt(200, held=True),) * 4]
    figure = knees(search(floor, capacity_of("redis", cut)))
    assert_says_what_one_sees(figure, "knees")
    note = " ".join(figure.get_supxlabel().split())
    assert "The dashed line is where direct breaks: the driver and one gateway, without a backend" in note
    assert "redis may take more: all cores of this machine were busy, also with the driver" in note


def test_a_search_of_before_numbers_of_gateways_and_rooms_were_noted_is_read() -> None:
    noted = msgspec.to_builtins(TWO)
    del noted["gateways"], noted["scalings"]
    for capacity in noted["capacities"]:
        del capacity["gateways"]
        for each in capacity["attempts"]:
            del each["rooms"]
    again = msgspec.convert(noted, Search)
    assert again == TWO
    assert again.attempts_of(Contestant("redis")) == TWO.capacities[0].attempts


def test_a_search_over_rooms_raises_members_and_rate_with_them() -> None:
    given = RunSettings(arch="redis", members=100, rooms=20, rate_per_s=50.0)
    plan = replace(search(), architectures=("redis",), over=Over.ROOMS, start=20.0, settings=given)
    plan.check()
    assert plan.fixed == "big_room, 5 members and 2.5 messages/s in each room"
    tried: list[Attempt] = []
    while (rooms := next_load(plan, tried)) is not None:
        settings = plan.settings_of(Contestant("redis"), rooms)
        assert (settings.members, settings.rate_per_s) == (5 * rooms, 2.5 * rooms)
        run = attempt(settings.rate_per_s, held=rooms <= 300)
        tried.append(replace(run, members=settings.members, rooms=settings.rooms))
    capacity = capacity_of("redis", tried, plan.over)
    assert capacity.half is not None
    assert capacity.half.low <= RUNG * 300
    assert capacity.half.high >= 300
    assert_says_what_one_sees(knees(replace(plan, capacities=[capacity])), "capacity")


def test_a_run_that_broke_by_bad_luck_says_nothing_about_what_limits() -> None:
    held = [attempt(rate, held=True) for rate in (200, 400, 1600, 3200, 4500)]
    broken = [attempt(rate, held=False) for rate in (5400, 5400, 6400)]
    failed = failed_attempt(RunSettings(arch="redis", rate_per_s=800), "the run failed: it was killed", "r")
    assert capacity_of("redis", [*held, *broken, failed]).limited_by is None
    full = [replace(each, saturated=[FULL]) for each in broken]
    unlucky = replace(attempt(400, held=False), broke=["connections broke"])
    known = capacity_of("redis", [*held, *full, unlucky])
    assert (known.limited_by, known.at_least) == ("the machine", True)


def test_runs_that_do_not_count_are_not_counted_among_those_that_broke() -> None:
    with_more = [attempt(200, held=True), driver_full(800, 1), replace(attempt(800, held=True), processes=2)]
    assert limit_text(capacity_of("redis", with_more)) == "no run broke; higher loads were not tried"


@pytest.mark.parametrize("change", [{"members": 0}, {"rate_per_s": 0}, {"rooms": 0}])
def test_a_load_without_anybody_is_refused(change: dict[str, float]) -> None:
    plan = replace(search(), architectures=("redis",), over=Over.ROOMS)
    with pytest.raises(UsageError):
        replace(plan, settings=replace(RunSettings(arch="redis", rooms=5), **change)).check()
