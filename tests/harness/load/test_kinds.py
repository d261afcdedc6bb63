"""The results of each kind of message, from the reports of several audiences."""

from __future__ import annotations

import msgspec

from harness.audience.phase_stats import Phase
from harness.audience.probe import PROBE_BASE
from harness.ipc import messages as msg
from harness.ipc.class_plan import MessageKind
from harness.ledger.judge import judge
from harness.ledger.reports import KINDS_MAX, kind_of, message_id, sender_of
from harness.load.kinds import kind_results
from harness.measure.histogram import Latencies

MS = 1_000_000
KINDS = [MessageKind("Host", "chat"), MessageKind("Viewer", "chat"), MessageKind("Viewer", "reaction")]


def report(kinds: int) -> msg.PhaseReport:
    """Return a report with two listeners and one message of each kind, of which number n takes n + 1 ms.

    Only one listener hears the message of kind 1, which has no ack either.
    """
    phase = Phase(msg.BeginPhase(name="measure", start_ns=0, end_ns=10**10, kinds=kinds))
    listeners = [phase.history.enter("room", "g", 0) for _ in range(2)]
    for kind in range(kinds):
        message = phase.history.say(message_id(3, kind, kind), "room", 0, 1)
        if kind != 1:
            phase.history.ack(message, 2 * MS)
            phase.time_ack(message, 2 * MS)
        for listener in listeners[: 1 if kind == 1 else 2]:
            listener.hear((message,))
            phase.time_delivery(message, (kind + 1) * MS)
    phase.flush()
    phase.close_second(1)
    return phase.report()


def test_each_kind_has_its_own_figures_and_they_add_up() -> None:
    given = report(3)
    judgement = judge(given.rooms)
    results = kind_results(KINDS, judgement.fates, [given])
    assert [(each.member, each.name) for each in results] == [
        ("Host", "chat"),
        ("Viewer", "chat"),
        ("Viewer", "reaction"),
    ]
    assert [(r.sent, r.acked, r.expected, r.delivered, r.lost) for r in results] == [
        (1, 1, 2, 2, 0),
        (1, 0, 2, 1, 1),
        (1, 1, 2, 2, 0),
    ]
    assert [Latencies.unpack(each.latency).percentile_ms(50) for each in results] == [1.0, 2.0, 3.001]
    assert [Latencies.unpack(each.ack).count for each in results] == [1, 0, 1]
    totals = msgspec.structs.asdict(judgement.verdict)
    for figure in ("sent", "acked", "expected", "delivered", "lost"):
        assert sum(getattr(each, figure) for each in results) == totals[figure]


def test_the_figures_of_a_lone_kind_are_those_of_the_whole_report() -> None:
    given = report(1)
    (alone,) = kind_results(KINDS[:1], judge(given.rooms).fates, [given])
    assert given.by_kind == {}
    assert (alone.latency, alone.ack) == (given.latency, given.ack)


def test_a_message_id_contains_sender_and_kind_and_is_below_the_ids_of_the_probe() -> None:
    identity = message_id(100_000, (1 << 30) - 1, KINDS_MAX - 1)
    assert (sender_of(identity), kind_of(identity)) == (100_000, KINDS_MAX - 1)
    assert identity < PROBE_BASE
