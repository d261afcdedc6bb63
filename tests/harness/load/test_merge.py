"""The result that the coordinator merges from the reports of all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audience.history import Message
from harness.audience.phase_stats import Phase
from harness.ipc import messages as msg
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.ledger.reports import message_id
from harness.load.merge import PhaseFacts, merge, merge_second, outstanding, total
from harness.measure.histogram import Latencies
from harness.measure.validity import LATE_PERCENTILE

MS = 1_000_000
MEMBERS = 6
FACTS = PhaseFacts(
    name="measure",
    start_ns=0,
    end_ns=10**10,
    faults_ns=[],
    drained=True,
    workers_lost=0,
    used=msg.Used(cpu_s=None, rss_bytes=None),
    clocks=[],
    locust_stats_csv="",
    classes=[ClassPlan("Host", 0, [1, 0]), ClassPlan("Viewer", 1, [2, 3])],
    class_rates={"Host": 1.5},
    kinds=[MessageKind("Viewer", "chat")],
    has_shape=False,
)


class Said(NamedTuple):
    """One message: number n is sent at n seconds. Members that are not in `heard_ms` never hear it."""

    sender: int
    acked: bool
    heard_ms: Mapping[int, int]  # member -> latency


conversations = st.lists(
    st.builds(
        Said,
        sender=st.integers(0, MEMBERS - 1),
        acked=st.booleans(),
        heard_ms=st.dictionaries(st.integers(0, MEMBERS - 1), st.integers(1, 900)),
    ),
    max_size=6,
)


def audience(members: Sequence[int], conversation: Sequence[Said]) -> Phase:
    """Return the phase of an audience that holds these members, all of them in one room."""
    phase = Phase(msg.BeginPhase(name="measure", start_ns=0, end_ns=10**10))
    stays = {member: phase.history.enter("room", "gateway", 0) for member in members}
    for number, said in enumerate(conversation):
        sent_ns = (number + 1) * 1000 * MS
        identity = message_id(said.sender, number)
        if said.sender in stays:
            phase.history.say(identity, "room", sent_ns, sent_ns)
        for member in members:
            if member in said.heard_ms:
                message: Message = phase.history.room("room").message(identity, sent_ns)
                stays[member].hear((message,))
                heard_ns = sent_ns + said.heard_ms[member] * MS
                message.first_ns = min(message.first_ns or heard_ns, heard_ns)
                message.last_ns = max(message.last_ns or heard_ns, heard_ns)
                phase.time_delivery(message, heard_ns)
        if said.sender in stays and said.acked:
            message = phase.history.said[identity]
            phase.history.ack(message, sent_ns + MS)
            phase.time_ack(message, sent_ns + MS)
    phase.flush()
    phase.close_second(1)
    return phase


def unsaid(not_sent: dict[str, int], came: int = 0, went: int = 0) -> msg.Unsaid:
    return msg.Unsaid(not_sent=not_sent, used=FACTS.used, came=came, went=went, speaks=True)


@given(conversations, st.lists(st.integers(0, 2), min_size=MEMBERS, max_size=MEMBERS))
def test_the_result_does_not_depend_on_how_members_are_spread_over_workers(
    conversation: list[Said], worker_of: list[int]
) -> None:
    alone = merge(FACTS, [audience(range(MEMBERS), conversation).report()], [])
    workers = [[member for member in range(MEMBERS) if worker_of[member] == worker] for worker in range(3)]
    spread = merge(FACTS, [audience(members, conversation).report() for members in workers if members], [])
    assert msgspec.to_builtins(spread) == msgspec.to_builtins(alone)


@given(conversations)
def test_every_delivery_is_expected_and_either_delivered_lost_or_outstanding(conversation: list[Said]) -> None:
    result = merge(FACTS, [audience(range(MEMBERS), conversation).report()], [])
    verdict = result.verdict
    assert verdict.sent == len(conversation)
    assert verdict.expected == verdict.delivered + verdict.lost + verdict.not_drained
    assert Latencies.unpack(result.latency).count == sum(len(said.heard_ms) for said in conversation)


def test_counts_are_added_and_the_worst_lag_and_clock_step_are_kept() -> None:
    phases = [audience([0, 1], []), audience([2], [])]
    for number, phase in enumerate(phases, 1):
        phase.refused["too_long"] += number
        phase.refused[f"code {number}"] += 1
        phase.strays, phase.disconnects, phase.joins_redirected = number, 2 * number, 3 * number
        phase.clock_stepped_ns = 10 * number
        phase.loop_lag.record_ns([number * MS])
        phase.join.record_ns([number * MS])
    result = merge(FACTS, [phase.report(away_at_end=1) for phase in phases], [])
    assert result.refused == {"too_long": 3, "code 1": 1, "code 2": 1}
    assert (result.strays, result.disconnects, result.joins_redirected, result.away_at_end) == (3, 6, 9, 2)
    assert result.clock_stepped_ns == 20
    assert Latencies.unpack(result.loop_lag).count == 1
    assert Latencies.unpack(result.loop_lag).percentile_ms(LATE_PERCENTILE) == pytest.approx(2, rel=1e-3)
    assert Latencies.unpack(result.join).count == 2


def test_each_class_has_its_members_its_rate_if_known_and_what_all_workers_could_not_send() -> None:
    result = merge(FACTS, [audience([0], []).report()], [unsaid({"Host": 1, "Viewer": 2}), unsaid({"Viewer": 3})])
    assert result.not_sent == 6
    assert result.classes == [
        msg.ClassResult(name="Host", members=1, rate_per_s=1.5, not_sent=1),
        msg.ClassResult(name="Viewer", members=5, rate_per_s=None, not_sent=5),
    ]


@pytest.mark.parametrize(
    ("facts", "came", "went", "changed"),
    [
        (FACTS, 0, 0, None),
        (FACTS, 1, 2, "2 members came and 4 went during the load, although the scenario has no shape"),
        (replace(FACTS, has_shape=True), 1, 2, None),
        (replace(FACTS, class_rates={}), 1, 2, None),  # not all members had been spawned before the phase
    ],
)
def test_members_that_come_and_go_are_reported_unless_a_shape_lets_them(
    facts: PhaseFacts, came: int, went: int, changed: str | None
) -> None:
    result = merge(facts, [audience([0], []).report()], [unsaid({}, came, went), unsaid({}, came, went)])
    assert result.members_changed == changed


def test_a_second_has_the_counts_of_all_workers_and_the_percentiles_of_their_merged_histograms() -> None:
    ticks = []
    for latencies_ms in ([1, 2, 3], [100]):
        phase = audience([], [])
        phase.second_said, phase.second_acked = len(latencies_ms), 1
        phase.second_latency.record_ns([ms * MS for ms in latencies_ms])
        ticks.append(msgspec.structs.replace(phase.close_second(2), cpu_ms=200.0))
    latencies = total(tick.latency for tick in ticks)
    second = merge_second("measure", 1, ticks, latencies, master_cpu_ms=50.0, workers=2)
    assert (second.phase, second.second) == ("measure", 1)
    assert (second.said, second.acked, second.delivered) == (4, 2, 4)
    assert second.latency_p50_ms == pytest.approx(2, rel=1e-3)
    assert second.latency_max_ms == pytest.approx(100, rel=1e-3)
    assert second.driver_cpu_ms == 450.0
    assert merge_second("measure", 1, ticks, latencies, master_cpu_ms=50.0, workers=3).driver_cpu_ms is None


def test_a_second_without_deliveries_has_no_latencies() -> None:
    second = merge_second("measure", 0, [], Latencies(), master_cpu_ms=None, workers=0)
    assert (second.said, second.delivered) == (0, 0)
    assert second.latency_p50_ms is None
    assert second.latency_max_ms is None
    assert second.driver_cpu_ms is None, "the master's CPU time is not known"


def histories(phase: Phase, unanswered: int = 0) -> msg.Histories:
    return msg.Histories(rooms=phase.history.report(), unanswered=unanswered)


def test_nothing_is_outstanding_once_every_member_of_every_worker_has_heard_every_message() -> None:
    conversation = [Said(sender=0, acked=True, heard_ms={0: 1, 1: 2})]
    answers = [histories(audience([0], conversation)), histories(audience([1], conversation))]
    missing = outstanding(answers)
    assert (missing.anything, missing.may_come) == (False, False)


def test_a_message_without_an_answer_may_still_come() -> None:
    conversation = [Said(sender=0, acked=True, heard_ms={0: 1, 1: 2})]
    answers = [histories(audience([0], conversation), unanswered=1), histories(audience([1], conversation))]
    missing = outstanding(answers)
    assert (missing.anything, missing.may_come) == (True, True)


def test_a_delivery_that_later_ones_have_overtaken_is_missing_and_will_not_come() -> None:
    conversation = [
        Said(sender=0, acked=True, heard_ms={0: 1}),
        Said(sender=0, acked=True, heard_ms={0: 1, 1: 1}),
    ]
    missing = outstanding([histories(audience([0, 1], conversation))])
    assert (missing.anything, missing.may_come) == (True, False)


def test_deliveries_of_a_message_that_waits_for_its_answer_may_still_come() -> None:
    phase = audience([0, 1], [Said(sender=0, acked=False, heard_ms={})])
    for message in phase.history.said.values():
        message.waits = True
    missing = outstanding([histories(phase)])
    assert (missing.anything, missing.may_come) == (True, True)
