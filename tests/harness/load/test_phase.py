from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.load import messages as msg
from harness.load.ledger import message_id
from harness.load.phase import Phase, _locust_ms
from harness.measure.histogram import Latencies

BEGIN = msg.BeginPhase(name="measure", start_ns=0, end_ns=10**10)


@given(st.lists(st.integers(0, 10**11), max_size=100))
def test_milliseconds_are_rounded_in_locusts_steps(latencies_ns: list[int]) -> None:
    expected: Counter[int] = Counter()
    for latency_ns in latencies_ns:
        ms = round(latency_ns / 1e6)
        step = 1 if ms < 100 else 10 if ms < 1000 else 100 if ms < 10_000 else 1000 if ms < 100_000 else 10_000
        expected[round(ms / step) * step] += 1
    assert _locust_ms(latencies_ns) == expected


def test_the_seconds_add_up_to_the_phase() -> None:
    phase = Phase(BEGIN)
    listener = phase.ledger.enter("room", 0)
    ticks = []
    for second in range(3):
        for number in range(10):
            message = phase.ledger.say(message_id(0, second * 10 + number), "room", 0, 1)
            assert listener.deliver(message, 2)
            phase.new_latency_ns.append((second + 1) * 10_000_000)
        phase.flush()
        ticks.append(phase.close_second(second + 1))
    assert [(tick.second, tick.delivered, tick.latency_p50_ms) for tick in ticks] == [
        (0, 10, 10.007),
        (1, 10, 20.015),
        (2, 10, 30.015),
    ]
    latency = Latencies.decode(phase.result().latency)
    assert latency.count == phase.result().verdict.delivered == 30
    assert latency.percentile_ms(50) == 20.015


def test_a_clock_that_was_stepped_back_is_in_the_result() -> None:
    phase = Phase(BEGIN)
    phase.new_latency_ns.append(-5_000_000)
    phase.new_lateness_ns += [-5_000_000, 1_000_000]
    phase.flush()
    phase.close_second(1)
    assert phase.result().below_zero == 2
