"""The advice for chats of given sizes."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from harness.core.errors import UsageError
from harness.core.units import figure_text
from harness.experiments.costs.advice import Advice, Knowledge, Wish, advise, checked
from harness.experiments.costs.model import fit
from harness.experiments.costs.sizing import ChatSize, Impossible, sized
from harness.experiments.costs.study import read_knowledge
from harness.experiments.costs.validation import held_out, summed_up
from harness.report.advice import advice_lines, advice_table
from harness.report.costs import cost_over_members, predicted_and_measured
from tests.harness.experiments.costs.made_up import FITTED_POINTS, HELD_OUT_POINTS
from tests.harness.report.chart_rules import assert_says_what_one_sees
from tools.docs.quotes import REFERENCE

MODEL = fit(FITTED_POINTS)
CHECKED = held_out(MODEL, HELD_OUT_POINTS)
REPLAYABLE = {"plan1": True, "plan2": True, "redis": False, "kafka-redis": True}  # kafka-broadcast: not measured
KNOWLEDGE = Knowledge(MODEL, summed_up(CHECKED), REPLAYABLE)
GROUPS = Wish(rooms=4000, members_per_room=5, rate_per_s=500)


def test_the_cheapest_is_chosen_and_the_others_follow_in_order() -> None:
    advice = advise(GROUPS, KNOWLEDGE)
    cores = [cost.cores.value for cost in advice.costs]
    assert cores == sorted(cores)
    assert advice.choice[0] == advice.costs[0].arch
    assert len(advice.costs) == 5
    assert advice.out == {}


def test_who_cannot_do_what_is_wished_is_out_with_the_reason() -> None:
    durable = advise(msgspec.structs.replace(GROUPS, durable=True), KNOWLEDGE)
    assert set(durable.out) == {"redis"}
    assert "does not survive the restart" in durable.out["redis"]
    replay = advise(msgspec.structs.replace(GROUPS, replay=True), KNOWLEDGE)
    assert "no message could be read" in replay.out["redis"]
    assert "was not measured" in replay.out["kafka-broadcast"]


def test_a_room_too_large_for_one_gateway_rules_plan2_out() -> None:
    huge = advise(Wish(rooms=1, members_per_room=1_000_000, rate_per_s=50), KNOWLEDGE)
    assert "all of a room must be on one gateway" in huge.out["plan2"]
    assert all(cost.gateways >= 100 for cost in huge.costs), "10,000 members a gateway were measured"
    assert any("members, measured up to" in each for each in huge.beyond)


def test_more_messages_than_a_gateway_can_read_rule_out_what_reads_everything() -> None:
    chat = ChatSize(rooms=1_000_000, members_per_room=5, rate_per_s=100_000)
    for arch in ("plan1", "kafka-broadcast"):
        with pytest.raises(Impossible, match="every gateway reads everything"):
            sized(MODEL, arch, chat)
    assert sized(MODEL, "plan2", chat).gateways < 1000


def test_what_would_change_the_answer_is_another_answer() -> None:
    advice = advise(GROUPS, KNOWLEDGE)
    assert "redis" in advice.choice
    assert any("--durable" in each for each in advice.would_change)
    for each in advice.would_change:
        assert each.rpartition(": then ")[2] != " or ".join(advice.choice)


def test_a_latency_that_was_not_valid_is_not_told() -> None:
    costs = {cost.arch: cost for cost in advise(GROUPS, KNOWLEDGE).costs}
    assert costs["plan1"].nearest_p99_ms is None
    assert costs["redis"].nearest_p99_ms == 9.0


def test_within_what_was_measured_nothing_is_beyond() -> None:
    assert advise(Wish(rooms=40, members_per_room=5, rate_per_s=100), KNOWLEDGE).beyond == []


TWO_PEOPLE = Wish(rooms=1, members_per_room=2, rate_per_s=1)


def test_two_people_need_no_fan_out() -> None:
    advice = advise(TWO_PEOPLE, KNOWLEDGE)
    assert advice.choice == ["direct"]
    assert advice.one_gateway is not None
    assert advice.of_several == ["redis"], "for who wants two gateways all the same"
    first, second = map(str, advice_lines(advice)[:2])
    assert first.startswith("For this chat: direct. One gateway holds all of it (2 members with some ")
    assert first.endswith("so there is nothing to fan out, and no broker is needed.")
    assert second.startswith("On two gateways or more, so that one may fail or be replaced: redis, ")
    grown = advise(Wish(rooms=1, members_per_room=200, rate_per_s=20), KNOWLEDGE)
    assert grown.choice == ["direct"]
    assert any("a hundred times the members in each room: then redis" in each for each in grown.would_change)


def test_where_acks_must_last_the_broker_is_for_that_and_not_for_the_fan_out() -> None:
    advice = advise(msgspec.structs.replace(TWO_PEOPLE, durable=True), KNOWLEDGE)
    assert advice.choice == advice.of_several
    assert "direct" not in advice.choice
    assert str(advice_lines(advice)[1]).endswith("the broker is needed for durability, not for the fan-out.")


@pytest.mark.parametrize(
    "wish",
    [
        Wish(rooms=1, members_per_room=10_001, rate_per_s=0.01),
        Wish(rooms=1, members_per_room=5_000, rate_per_s=100),
        Wish(rooms=1, members_per_room=2, rate_per_s=100, payload_bytes=60 * 1024),
    ],
    ids=["too many members", "too much CPU", "more bytes than were measured on a gateway"],
)
def test_what_one_gateway_does_not_hold_is_fanned_out(wish: Wish) -> None:
    advice = advise(wish, KNOWLEDGE)
    assert advice.one_gateway is None
    assert advice.choice == advice.of_several
    assert str(advice_lines(advice)[0]).startswith(f"For this chat: {' or '.join(advice.choice)}, with the least CPU")


def test_cpu_of_larger_payloads_than_were_measured_is_at_least_what_is_predicted() -> None:
    measured = advise(msgspec.structs.replace(GROUPS, payload_bytes=1000), KNOWLEDGE)
    assert not measured.cpu_at_least
    assert "at least" not in printed(measured)
    larger = advise(msgspec.structs.replace(GROUPS, payload_bytes=60 * 1024), KNOWLEDGE)
    assert larger.cpu_at_least
    assert larger.payloads_measured_bytes == [100, 1000]
    text = printed(larger)
    assert text.count(f"at least {larger.costs[0].gateways}") >= 1
    assert f"at least {figure_text(larger.costs[0].cores.value)}" in text
    assert "payloads of 100 bytes and 1,000 bytes were measured, none of 60KiB" in text
    assert any("bytes per second to a gateway's members, measured up to 2,000,000" in each for each in larger.beyond)
    assert larger.costs[0].to_members_bytes_per_s.value > 500 * 5 * 60 * 1024, "bytes are counted, whatever their CPU"


def printed(advice: Advice) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    console.print(*advice_lines(advice), advice_table(advice), sep="\n", soft_wrap=True)
    return out.getvalue()


def test_the_lines_say_how_good_the_predictions_are() -> None:
    lines = advice_lines(advise(GROUPS, KNOWLEDGE))
    assert any(f"over {len(HELD_OUT_POINTS)} runs held out" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rooms": 0}, "--rooms is 0, but it must be between 1"),
        ({"members_per_room": 1.0}, "--members-per-room is 1, but it must be between 2"),
        ({"rate_per_s": float("nan")}, "--rate is nan"),
        ({"payload_bytes": 100_000_000}, "--payload is 95.4MiB, but it must be between 1 byte and 64KiB"),
    ],
)
def test_sizes_that_cannot_be_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked(msgspec.structs.replace(GROUPS, **given))


@pytest.mark.slow
def test_the_charts_have_a_line_for_each_and_a_point_for_each_run() -> None:
    for drawn in (cost_over_members(MODEL, 5, 0.02), predicted_and_measured(CHECKED)):
        assert_says_what_one_sees(drawn, "costs")
    (over_members,) = cost_over_members(MODEL, 5, 0.02).axes
    assert len([line for line in over_members.lines if len(np.asarray(line.get_xdata())) > 2]) == 5
    (scatter,) = predicted_and_measured(CHECKED).axes
    assert len(scatter.containers) == 5


@pytest.mark.parametrize("command", ["costs", "claims"])
def test_a_folder_that_is_none_is_one_clear_sentence(command: str, tmp_path: Path) -> None:
    folders = {name: REFERENCE / name for name in ("costs", "claims")} | {command: tmp_path / "none"}
    with pytest.raises(UsageError, match=f"is not a folder that `chatbench {command}` made"):
        read_knowledge(**folders)


def test_the_guide_speaks_of_bands_only_if_the_charts_have_some() -> None:
    (axes,) = cost_over_members(MODEL, 5, 0.02).axes
    guide = (Path(__file__).parents[4] / "docs" / "guide.md").read_text(encoding="utf-8")
    assert bool(axes.collections) == (" band" in guide)
