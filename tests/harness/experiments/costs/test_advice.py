"""The advice for chats of given sizes."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from harness.core.errors import UsageError
from harness.core.units import figure_text
from harness.experiments.costs.advice import Advice, Knowledge, Wish, advise, checked
from harness.experiments.costs.grid import FITTED
from harness.experiments.costs.model import fit
from harness.experiments.costs.study import read_knowledge
from harness.experiments.costs.validation import held_out, summed_up
from harness.report.advice import advice_table, latency_notes
from harness.report.advice_text import accuracy_lines, advice_lines
from harness.report.costs import cost_over_members, predicted_and_measured
from tests.harness.experiments.costs.made_up import FITTED_POINTS, HELD_OUT_POINTS, points
from tests.harness.report.chart_rules import assert_says_what_one_sees
from tools.docs.quotes import REFERENCE

MODEL = fit(FITTED_POINTS)
CHECKED = held_out(MODEL, HELD_OUT_POINTS)
REPLAYABLE = {"plan1": True, "plan2": True, "redis": False, "kafka-redis": True}  # kafka-broadcast: not measured
KNOWLEDGE = Knowledge(MODEL, summed_up(CHECKED), REPLAYABLE)
GROUPS = Wish(rooms=2500, members_per_room=5, rate_per_s=500)
MEMBERS_MEASURED = int(FITTED_POINTS["members"].max())


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
    assert first.startswith("For this chat, use direct. One gateway holds all of it (2 members with some ")
    assert first.endswith("so there is nothing to fan out, and no broker is needed.")
    assert second.startswith("On two gateways or more, so that one may fail or be replaced, redis is the cheapest ")
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
        Wish(rooms=10, members_per_room=2, rate_per_s=300, payload_bytes=60 * 1024),
    ],
    ids=["too many members", "too much CPU", "more bytes than were measured on a gateway"],
)
def test_what_one_gateway_does_not_hold_is_fanned_out(wish: Wish) -> None:
    advice = advise(wish, KNOWLEDGE)
    assert advice.one_gateway is None
    assert advice.choice == advice.of_several
    assert "redis" in advice.choice
    assert str(advice_lines(advice)[0]).startswith("For this chat, ")


def test_cpu_of_larger_payloads_than_were_measured_is_at_least_what_is_predicted() -> None:
    measured = advise(msgspec.structs.replace(GROUPS, payload_bytes=1000), KNOWLEDGE)
    assert not measured.cpu_at_least
    assert "at least" not in printed(measured)
    larger = advise(msgspec.structs.replace(GROUPS, payload_bytes=60 * 1024), KNOWLEDGE)
    assert larger.cpu_at_least
    assert larger.payloads_measured_bytes == [100, 1000, 2000]
    text = printed(larger)
    assert text.count(f"at least {larger.costs[0].gateways}") >= 1
    assert f"at least {figure_text(larger.costs[0].cores.value)}" in text
    assert "payloads of up to 2KiB were measured, none of 60KiB" in text
    assert any("bytes per second to a gateway's members, measured up to " in each for each in larger.beyond)
    assert larger.costs[0].to_members_bytes_per_s.value > 500 * 5 * 60 * 1024, "bytes are counted, whatever their CPU"


def printed(advice: Advice) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    console.print(*advice_lines(advice), advice_table(advice), sep="\n", soft_wrap=True)
    return out.getvalue()


def test_the_lines_say_how_good_the_predictions_are() -> None:
    lines = advice_lines(advise(GROUPS, KNOWLEDGE))
    assert any(f"of {len(HELD_OUT_POINTS)} runs within the 90 % interval" in line for line in lines)


def test_each_range_of_the_validation_is_told() -> None:
    inside, *_ = KNOWLEDGE.held_out
    outside = msgspec.structs.replace(inside, range="outside", median_error=0.2)
    told, beyond = accuracy_lines([inside, outside], [])
    assert "of sizes between the fitted ones" in told
    within = f"{inside.within:.0%} of {inside.runs} runs within the 90 % interval"
    assert told.endswith(f"were off by {inside.median_error:.1%} (CPU; {within}) in the median.")
    assert "of sizes three to four times beyond them, were off by 20.0% (CPU" in beyond


def test_probabilities_are_told_and_add_up() -> None:
    advice = advise(GROUPS, KNOWLEDGE)
    chances = [cost.p_cheapest for cost in advice.costs]
    assert sum(each for each in chances if each is not None) == pytest.approx(1.0)
    assert advice.choice == ["redis"]
    assert advice.no_choice is None
    assert str(advice_lines(advice)[0]).startswith(
        "For this chat, redis is the cheapest with a probability of > 98 % ("
    )
    assert "cheapest" in printed(advice)


def test_what_costs_the_same_is_not_called_a_winner() -> None:
    stream = Wish(rooms=1, members_per_room=12_000, rate_per_s=40)
    exact = replace(KNOWLEDGE, model=fit(points(FITTED, 0.01)))
    advice = advise(stream, exact)
    assert advice.equal
    assert len(advice.choice) >= 3
    assert "cost the same within 10 %, with probabilities of" in str(advice_lines(advice)[0])
    noisy = advise(stream, KNOWLEDGE)
    assert not noisy.equal, "nine draws in ten must have all of them within ten percent"
    assert "the predictions cannot tell " in str(advice_lines(noisy)[0])


FAR = Wish(rooms=500, members_per_room=100, rate_per_s=100)


def test_beyond_ten_times_there_is_a_band_and_no_winner() -> None:
    advice = advise(FAR, KNOWLEDGE)
    assert advice.extrapolated_times == pytest.approx(50_000 / MEMBERS_MEASURED)
    assert advice.extrapolations[0].what == "members"
    assert (advice.choice, advice.of_several, advice.would_change) == ([], [], [])
    assert advice.no_choice is not None
    assert advice.no_choice.startswith(f"50,000 members, measured up to {MEMBERS_MEASURED:,}: ")
    assert "times further; beyond 10 times, a prediction is a band" in advice.no_choice
    assert {cost.p_cheapest for cost in advice.costs} == {None}
    first = advice.costs[0].cores
    text = printed(advice)
    assert text.startswith("No recommendation: 50,000 members, measured up to ")
    assert f"{figure_text(first.low)}-{figure_text(first.high)}" in text
    assert f"{figure_text(first.value)} (" not in text


def test_extrapolate_recommends_with_a_band_and_says_how_far() -> None:
    advice = advise(msgspec.structs.replace(FAR, extrapolate=True), KNOWLEDGE)
    assert advice.choice
    assert advice.no_choice is None
    text = printed(advice)
    assert text.count(f"extrapolated {figure_text(50_000 / MEMBERS_MEASURED)} times") == 2, (
        "in the sentence and above the table"
    )
    assert f"{figure_text(advice.costs[0].cores.value)} (" not in text


def test_what_is_infeasible_is_in_the_table_with_the_reason_and_never_chosen() -> None:
    chat = Wish(rooms=500, members_per_room=50, rate_per_s=9000, extrapolate=True)
    advice = advise(chat, KNOWLEDGE)
    redis = next(each for each in advice.infeasible if each.arch == "redis")
    (limit,) = redis.limits
    assert (limit.part, limit.unit, limit.most) == ("redis", "cores", 0.8)
    assert redis.cost is not None
    assert redis.cost.cores_of["redis"].value == pytest.approx(limit.needed)
    assert limit.lifted_by == f"a Redis cluster of {math.ceil(limit.needed / 0.8)} shards, with redis-sharded"
    assert "redis" not in {*advice.choice, *(cost.arch for cost in advice.costs)}
    assert "one thread of the only Redis server" in advice.out["redis"]
    row = next(line for line in printed(advice).splitlines() if line.startswith("redis "))
    assert "infeasible" in row


def test_a_durable_ack_needs_three_replicas_unless_told_otherwise() -> None:
    durable = msgspec.structs.replace(GROUPS, durable=True)
    assert advise(durable, KNOWLEDGE).replicas == 3
    single = advise(msgspec.structs.replace(durable, replicas=1), KNOWLEDGE)
    assert (single.replicas, single.replication_modelled) == (1, True)
    assert advise(GROUPS, KNOWLEDGE).replicas == 1


def test_replicas_that_the_model_does_not_know_are_told() -> None:
    advice = advise(msgspec.structs.replace(GROUPS, durable=True), KNOWLEDGE)
    assert ("replication is not modelled" in printed(advice)) == (not advice.replication_modelled)


def test_the_table_of_gateway_sizes_has_a_cell_for_each_and_agrees_with_the_answer() -> None:
    advice = advise(GROUPS, KNOWLEDGE)
    assert len(advice.sensitivity) == 18
    usual = next(
        each for each in advice.sensitivity if (each.members_per_gateway, each.cores_per_gateway) == (10_000, 0.5)
    )
    assert usual.choice == advice.of_several
    assert usual.cores == advice.costs[0].cores
    smaller = next(each for each in advice.sensitivity if each.members_per_gateway == 1000)
    assert smaller.cores is not None
    assert smaller.cores.value > advice.costs[0].cores.value, "13 gateways instead of two"


def test_without_a_fit_of_latency_the_nearest_run_is_shown_and_named_as_measured() -> None:
    advice = advise(GROUPS, KNOWLEDGE)
    assert advice.costs[0].p50_ms is None
    assert advice.costs[0].latency_not_predicted is not None
    assert "* measured, not predicted" in str(latency_notes(advice)[0])


def test_predicted_latencies_are_shown_with_their_accuracy_and_why_some_are_missing() -> None:
    advice = advise(Wish(rooms=40, members_per_room=5, rate_per_s=100), read_knowledge())
    first = advice.costs[0]
    assert first.p50_ms is not None
    assert first.p50_ms.low <= first.p50_ms.value <= first.p50_ms.high
    row = next(line for line in printed(advice).splitlines() if line.startswith(f"{first.arch} "))
    assert row.endswith(" ms")
    assert f" {figure_text(first.p50_ms.value)} / " in row
    assert (first.p99_ms is None) == (first.latency_not_predicted is not None)
    assert any("(p50; " in str(line) for line in advice_lines(advice))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rooms": 0}, "--rooms is 0, but it must be between 1"),
        ({"members_per_room": 1.0}, "--members-per-room is 1, but it must be between 2"),
        ({"rate_per_s": float("nan")}, "--rate is nan"),
        ({"members_per_gateway": 1}, "--members-per-gateway is 1, but it must be between 10 and 1,000,000"),
        ({"cores_per_gateway": 1.5}, "--cores-per-gateway is 1.5, but it must be between 0.05 and 1"),
        ({"replicas": 2}, "--replicas is 2, but it must be 1 or 3"),
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
