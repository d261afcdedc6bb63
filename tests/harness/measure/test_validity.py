from typing import Any

import pytest

from harness.measure.histogram import Latencies
from harness.measure.validity import judge_driver, lag_over_time, too_late_to_compare


def at_ms(ms: float, count: int = 1000) -> Latencies:
    latencies = Latencies()
    latencies.record_ns([round(ms * 1e6)] * count)
    return latencies


def judge(**change: Any) -> tuple[bool | None, str | None]:
    fine: dict[str, Any] = {
        "send_lateness": at_ms(1),
        "loop_lag": at_ms(1),
        "cpu_share": {"audience": 0.5},
        "sent": 10_000,
        "not_sent": 0,
        "below_zero": 0,
        "clock_stepped_ns": 0,
        "drained": True,
        "workers_lost": 0,
    }
    verdict = judge_driver(**(fine | change))
    return verdict.valid, verdict.why


def test_a_driver_in_time_is_valid() -> None:
    assert judge() == (True, None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"send_lateness": at_ms(80)}, "sent 80 ms late"),
        ({"loop_lag": at_ms(60)}, "lagged 60 ms or more for 1 % of the time"),
        ({"cpu_share": {"audience": 0.97}}, "audience used 97% of a core"),
        ({"not_sent": 50}, "50 of 10050 scheduled messages could not be sent"),
        ({"drained": False}, "still arriving"),
        ({"workers_lost": 1}, "1 of the Locust workers ended"),
        ({"below_zero": 1}, "clock was stepped back"),
        ({"clock_stepped_ns": 3_000_000_000, "below_zero": 9}, "clock was stepped by 3,000 ms"),
    ],
)
def test_a_driver_that_was_the_bottleneck_says_why(change: dict[str, Any], says: str) -> None:
    valid, why = judge(**change)
    assert valid is False
    assert why is not None
    assert says in why


def test_several_problems_are_one_sentence() -> None:
    assert judge(not_sent=50, workers_lost=1, clock_stepped_ns=3_000_000_000)[1] == (
        "50 of 10050 scheduled messages could not be sent, 1 of the Locust workers ended during the run, and their "
        "members do not count, and the clock was stepped by 3,000 ms during the run"
    )


def looked_at(seconds: float, stalled_ms: float = 0.0) -> Latencies:
    """Lags of a loop that is looked at each 20 ms, and stood still once."""
    lags_ns = [1_000_000] * round((seconds - stalled_ms / 1000) / 0.02)
    lags = Latencies()
    lags.record_ns(
        [each for lag_ns in (*lags_ns, round(stalled_ms * 1e6)) for each in lag_over_time(lag_ns, 20_000_000)]
    )
    return lags


@pytest.mark.parametrize(
    ("stalled_ms", "p99_ms", "valid"),
    [
        (2000, 1375, False),  # of 20 s: one sample of a thousand, and a tenth of the time
        (190, 54.8, False),
        (190, 4000, True),  # what took four seconds, that stall is not to blame for
        (40, 5, True),
        (0, 5, True),
    ],
)
def test_a_stall_counts_as_long_as_it_took_beside_what_was_measured(
    stalled_ms: float, p99_ms: float, valid: bool
) -> None:
    assert judge(loop_lag=looked_at(20, stalled_ms), latency_p99_ms=p99_ms)[0] is valid


def test_the_limit_and_what_it_goes_by_are_told() -> None:
    _, why = judge(loop_lag=looked_at(20, 190), latency_p99_ms=54.8)
    assert why is not None
    assert "for 0.5 % of the time (limit 50, of a p99 of 55 ms)" in why


@pytest.mark.parametrize(("lateness_ms", "latency_ms"), [(1.0, 0.5), (0.9, 2.0), (2.0, 8.0), (2.4, 10.0)])
def test_latencies_are_compared_if_the_driver_was_late_by_less_than_a_quarter_of_them(
    lateness_ms: float, latency_ms: float
) -> None:
    assert too_late_to_compare(50.0, lateness_ms, latency_ms) is None


def test_latencies_of_a_driver_that_was_late_by_more_are_not_compared() -> None:
    assert too_late_to_compare(50.0, 1.1, 4.0) == (
        "the driver was late by 1.1 ms (median), more than a quarter of the median latency of 4.0 ms"
    )
    assert too_late_to_compare(99.0, 2.6, 10.0) == (
        "the driver was late by 2.6 ms (p99), more than a quarter of the p99 latency of 10.0 ms"
    )
