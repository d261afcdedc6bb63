from typing import Any

import pytest

from harness.measure.histogram import Latencies
from harness.measure.validity import judge_driver


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
        ({"loop_lag": at_ms(60)}, "lagged 60 ms"),
        ({"cpu_share": {"audience": 0.97}}, "audience used 97% of a core"),
        ({"not_sent": 50}, "50 of 10050 scheduled messages could not be sent"),
        ({"drained": False}, "still arriving"),
        ({"workers_lost": 1}, "1 of its Locust workers ended"),
        ({"below_zero": 1}, "clock was stepped back"),
        ({"clock_stepped_ns": 3_000_000_000, "below_zero": 9}, "clock was stepped by 3,000 ms"),
    ],
)
def test_a_driver_that_was_the_bottleneck_says_why(change: dict[str, Any], says: str) -> None:
    valid, why = judge(**change)
    assert valid is False
    assert why is not None
    assert says in why
