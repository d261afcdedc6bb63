import numpy as np
import pytest

from harness.audience.phase_stats import Chunk, Phase
from harness.ipc import messages as msg
from harness.ledger.judge import judge
from harness.ledger.reports import message_id
from harness.measure.histogram import Latencies

BEGIN = msg.BeginPhase(name="measure", start_ns=0, end_ns=10**10)


def test_the_seconds_add_up_to_the_phase() -> None:
    phase = Phase(BEGIN)
    listeners = [phase.history.enter("room", "g", 0) for _ in range(2)]
    ticks = []
    for second in range(3):
        for number in range(10):
            message = phase.history.say(message_id(0, second * 10 + number), "room", 0, 1)
            chunk = Chunk("room", (message,))
            phase.fresh.append(chunk)
            for listener in listeners:
                assert not listener.hear(chunk.messages)
                chunk.heard_ns.append((second + 1) * 10_000_000)
        phase.flush()
        ticks.append(phase.close_second(second + 1))
    by_second = [(tick.second, Latencies.unpack(tick.latency)) for tick in ticks]
    assert [(second, latency.count, latency.percentile_ms(50)) for second, latency in by_second] == [
        (0, 20, 10.007),
        (1, 20, 20.015),
        (2, 20, 30.015),
    ]
    report = phase.report()
    latency = Latencies.unpack(report.latency)
    assert latency.count == judge(report.rooms).verdict.delivered == 60
    assert latency.percentile_ms(50) == 20.015


def test_a_message_has_the_first_and_last_of_all_members_deliveries() -> None:
    phase = Phase(BEGIN)
    message = phase.history.say(message_id(0, 0), "room", 0, 1)
    chunk = Chunk("room", (message,))
    phase.fresh.append(chunk)
    chunk.heard_ns += [30, 40, 70]
    phase.flush()
    assert (message.first_ns, message.last_ns) == (30, 70)


def test_latency_from_sending_leaves_out_the_drivers_lateness_and_has_receipts_of_other_processes_messages() -> None:
    phase = Phase(BEGIN)
    ours = phase.history.say(message_id(0, 0), "room", 1_000_000, 3_000_000)
    theirs = phase.history.room("room").message(message_id(1, 0), 1_000_000)
    chunk = Chunk("room", (ours, theirs))
    phase.fresh.append(chunk)
    chunk.heard_ns += [8_000_000, 8_000_000]
    phase.time_delivery(ours, 8_000_000)
    phase.flush()
    phase.close_second(1)
    report = phase.report()
    latency = Latencies.unpack(report.latency)
    assert latency.count == 5
    assert latency.percentile_ms(50) == pytest.approx(7, rel=1e-3)
    from_sending = Latencies.unpack(report.latency_from_sending)
    assert from_sending.count == 3
    assert from_sending.percentile_ms(50) == pytest.approx(5, rel=1e-3)
    assert np.frombuffer(report.receipts.heard_ns, dtype=np.int64).tolist() == [8_000_000, 8_000_000]


def test_receipts_are_kept_only_of_the_measurement() -> None:
    phase = Phase(msg.BeginPhase(name="warm-up", start_ns=0, end_ns=10**10))
    theirs = phase.history.room("room").message(message_id(1, 0), 1_000_000)
    phase.time_delivery(theirs, 8_000_000)
    chunk = Chunk("room", (theirs,))
    phase.fresh.append(chunk)
    chunk.heard_ns.append(8_000_000)
    phase.flush()
    phase.close_second(1)
    report = phase.report()
    assert report.receipts.heard_ns == b""
    assert Latencies.unpack(report.latency).count == 2


def test_progress_changes_as_long_as_something_comes() -> None:
    phase = Phase(BEGIN)
    before = phase.progress()
    assert phase.progress() == before
    phase.new_latency_ns.append(5)
    assert phase.progress() != before


def test_a_clock_that_was_stepped_back_is_in_the_report() -> None:
    phase = Phase(BEGIN)
    phase.new_latency_ns.append(-5_000_000)
    phase.new_lateness_ns += [-5_000_000, 1_000_000]
    phase.flush()
    phase.close_second(1)
    report = phase.report()
    assert [Latencies.unpack(each).below_zero for each in (report.latency, report.send_lateness)] == [1, 1]
