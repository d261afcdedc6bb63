"""Whether the driver was fast enough for its latencies to describe the system and not the driver itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.measure.histogram import Latencies

# A latency includes the driver's own lateness, which the record shows beside it (send_lateness_ms). A message to a
# thousand members keeps the audience busy for some 15 ms; two such bursts in a row are load, three are a bottleneck.
SEND_LATENESS_P99_MAX_MS = 50.0
LOOP_LAG_P99_MAX_MS = 50.0
# The 99th percentile of latency depends on one message in a hundred. If the driver made one in two hundred late by more
# than half of that percentile, the percentile describes the driver: a stall of 190 ms in 20 s turns 5 ms into 55 ms.
LATE_PERCENTILE = 99.5
LATE_SHARE_OF_P99_MAX = 0.5
# A comparison tells latencies of a few milliseconds apart, so that there the driver must be more exact than that.
COMPARED_LATENESS_MAX_MS = 1.0
COMPARED_LATENESS_SHARE_MAX = 0.25  # of the latency at the same percentile
CPU_SHARE_MAX = 0.9  # of one core, per process; above this, queues build up in the driver
NOT_SENT_SHARE_MAX = 0.001
CLOCK_ERROR_SHARE_MAX = 0.5  # of the median latency


def lag_over_time(lag_ns: int, looked_every_ns: int) -> range:
    """Return the lags, in ns, that every check during a lag would have found if the check itself had not been late.

    A long stall thus counts for as long as it lasts, and not once.
    """
    return range(lag_ns, -1, -looked_every_ns)


class DriverVerdict(msgspec.Struct, frozen=True):
    """Whether the driver kept up: key `driver` of summary.json (contract)."""

    valid: bool | None  # None: unknown, because the run ended too early
    why: str | None  # one sentence; None if valid


def judge_driver(
    *,
    send_lateness: Latencies,
    loop_lag: Latencies,
    cpu_share: dict[str, float],
    sent: int,
    not_sent: int,
    below_zero: int,
    clock_stepped_ns: int,
    drained: bool,
    workers_lost: int,
    latency_error_ms: float = 0.0,
    latency_p50_ms: float | None = None,
    latency_p99_ms: float | None = None,
    members_changed: str | None = None,
) -> DriverVerdict:
    """Judge the driver by the limits above.

    `cpu_share` holds the CPU time of each driver process as a share of wall time, by the name shown to the user.
    `loop_lag` holds the lag over time (see `lag_over_time`) of the audience process with the worst lag.
    """
    problems = []
    late_ms = send_lateness.percentile_ms(99) or 0.0
    if late_ms > SEND_LATENESS_P99_MAX_MS:
        problems.append(f"1 % of messages were sent {late_ms:.0f} ms late or more (limit {SEND_LATENESS_P99_MAX_MS:g})")
    lag_ms = loop_lag.percentile_ms(99) or 0.0
    if lag_ms > LOOP_LAG_P99_MAX_MS:
        problems.append(
            f"an audience process lagged {lag_ms:.0f} ms or more for 1 % of the time (limit {LOOP_LAG_P99_MAX_MS:g})"
        )
    if not problems:
        problems += _later_than_measured(send_lateness, loop_lag, latency_p99_ms)
    problems += [
        f"{name} used {share:.0%} of a core (limit {CPU_SHARE_MAX:.0%})"
        for name, share in cpu_share.items()
        if share > CPU_SHARE_MAX
    ]
    if not_sent > NOT_SENT_SHARE_MAX * (sent + not_sent):
        problems.append(f"{not_sent} of {sent + not_sent} scheduled messages could not be sent")
    if not drained:
        problems.append(
            "deliveries were still arriving, or expected from a room that stood still, when the wait for them ended, "
            "so that missing messages may be late and not lost"
        )
    if workers_lost:
        problems.append(f"{workers_lost} of the Locust workers ended during the run, and their members do not count")
    if members_changed is not None:
        problems.append(members_changed)
    if latency_p50_ms is not None and latency_error_ms > CLOCK_ERROR_SHARE_MAX * latency_p50_ms:
        problems.append(
            f"the hosts' clocks are known only to {latency_error_ms:.1f} ms, more than half of the median latency"
        )
    if clock_stepped_ns:
        problems.append(f"the clock was stepped by {clock_stepped_ns / 1e6:,.0f} ms during the run")
    elif below_zero:
        problems.append("a message arrived before it was sent because the clock was stepped back during the run")
    return DriverVerdict(valid=not problems, why=one_sentence(problems) or None)


def one_sentence(clauses: Sequence[str]) -> str:
    """Join clauses into one sentence, without its full stop: `a`, `a, and b`, `a, b, and c`."""
    *most, last = clauses or [""]
    return ", ".join([*most, f"and {last}"]) if most else last


def too_late_to_compare(percentile: float, lateness_ms: float, latency_ms: float) -> str | None:
    """Say why latencies must not be compared by a percentile, given how late the driver sent. None: they may be.

    `lateness_ms` and `latency_ms` are that percentile of both. The tail of the lateness spoils the tail of the latency,
    and hardly its median.
    """
    if lateness_ms <= max(COMPARED_LATENESS_MAX_MS, COMPARED_LATENESS_SHARE_MAX * latency_ms):
        return None
    what = "median" if percentile == 50 else f"p{percentile:g}"
    return (
        f"the driver was late by {lateness_ms:.1f} ms ({what}), "
        f"more than a quarter of the {what} latency of {latency_ms:.1f} ms"
    )


def _later_than_measured(send_lateness: Latencies, loop_lag: Latencies, p99_ms: float | None) -> Iterator[str]:
    """Yield a problem if the 99th percentile of latency may be due to the driver's own lateness."""
    limit_ms = max(LOOP_LAG_P99_MAX_MS, LATE_SHARE_OF_P99_MAX * (p99_ms or 0.0))
    of_p99 = "" if p99_ms is None else f", of a p99 of {p99_ms:,.0f} ms"
    late_ms, lag_ms = (each.percentile_ms(LATE_PERCENTILE) or 0.0 for each in (send_lateness, loop_lag))
    if late_ms > limit_ms:
        yield f"0.5 % of messages were sent {late_ms:,.0f} ms late or more (limit {limit_ms:,.0f}{of_p99})"
    if lag_ms > limit_ms:
        limit = f"limit {limit_ms:,.0f}{of_p99}"
        yield f"an audience process lagged {lag_ms:,.0f} ms or more for 0.5 % of the time ({limit})"
