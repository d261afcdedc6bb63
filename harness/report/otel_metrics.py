"""The figures of a summary as OpenTelemetry metrics: gauges that have one value for each run.

The values are those of summary.json, which docs/data.md describes. Their names leave out the unit, which a metric has
beside its name, in UCUM's spelling. What was not measured has no data point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from harness.report.otel_spans import SCOPE
from harness.runs.summary import Summary

MS, DELIVERIES, MESSAGES = "ms", "{delivery}", "{message}"
NO_START = 0  # a gauge has none
PERCENTILE, PROCESS, COMPONENT, STAGE, GATEWAY = "percentile", "process", "component", "stage", "gateway"


class Figure(NamedTuple):
    """A metric, and the key of summary.json that holds its values."""

    name: str
    key: str  # in summary.json; a dot leads to a key within it
    unit: str
    description: str
    by: str | None = None  # the attribute that tells several values apart; None: there is one value


FIGURES = (
    Figure("latency", "latency_ms", MS, "From the scheduled time of sending to the arrival at the member", PERCENTILE),
    Figure("latency_from_sending", "latency_from_sending_ms", MS, "From the moment of sending", PERCENTILE),
    Figure("ack", "ack_ms", MS, "From the scheduled time of sending to the ack", PERCENTILE),
    Figure("join", "join_ms", MS, "From the request to join until being in the room", PERCENTILE),
    Figure("spread", "spread_ms", MS, "From the first to the last recipient of a message", PERCENTILE),
    Figure("send_lateness", "send_lateness_ms", MS, "How late the driver sent messages", PERCENTILE),
    Figure("loop_lag", "loop_lag_ms", MS, "How late the loop was that receives messages", PERCENTILE),
    Figure("stage.typical", "stages.typical_ms", MS, "Stages of the middle fifth of the traced messages", STAGE),
    Figure("stage.slow", "stages.slow_ms", MS, "Stages of the slowest hundredth of the traced messages", STAGE),
    Figure("stage.error", "stages.error_ms", MS, "How far off a stage may be, by the clocks of the hosts", STAGE),
    Figure("sent", "sent", MESSAGES, "Messages sent"),
    Figure("not_sent", "not_sent", MESSAGES, "Messages that were due and were not sent"),
    Figure("acked", "acked", MESSAGES, "Messages acked to the sender"),
    Figure("expected", "expected", DELIVERIES, "Expected deliveries"),
    Figure("delivered", "delivered", DELIVERIES, "Expected deliveries that arrived"),
    Figure("lost", "lost", DELIVERIES, "Expected deliveries that did not arrive"),
    Figure("lost_acked", "lost_acked", DELIVERIES, "Lost deliveries whose message was acked"),
    Figure("duplicated", "duplicated", DELIVERIES, "Deliveries beyond the first"),
    Figure("reordered", "reordered", DELIVERIES, "Deliveries that arrived after a later message of the same sender"),
    Figure("disconnects", "disconnects", "{connection}", "Connections that broke"),
    Figure("publish_rate", "publishes_per_s", f"{MESSAGES}/s", "Messages sent per second"),
    Figure("delivery_rate", "deliveries_per_s", f"{DELIVERIES}/s", "Deliveries per second"),
    Figure("frames_per_write", "frames_per_write", "1", "Messages per write to a member"),
    Figure("cores_used", "cores_used", "{cpu}", "CPU time over wall time", PROCESS),
    Figure("gateway.cores_used", "each_gateway.cores_used", "{cpu}", "CPU time of a gateway over wall time", GATEWAY),
    Figure(
        "gateway.deliveries", "each_gateway.deliveries", DELIVERIES, "Messages written to a gateway's members", GATEWAY
    ),
    Figure("rss", "rss_bytes", "By", "Resident memory at the end", PROCESS),
    Figure("cpu_per_delivery", "cpu_us_per_delivery", "us", "CPU time per delivery", COMPONENT),
    Figure(
        "driver_valid", "driver.valid", "1", "1: the driver was fast enough for the figures to be valid; 0: it was not"
    ),
    Figure("duration", "duration_s", "s", "Length of the measurement"),
)


def metrics_of(summary: Summary, resource: Resource, version: str, end_ns: int) -> MetricsData:
    """Return the gauges of one run, which this version of chatbench measured until this moment."""
    told = msgspec.to_builtins(summary)
    gauges = []
    for figure in FIGURES:
        values = _values(_at(told, figure.key), figure.by)
        if points := [NumberDataPoint(by, NO_START, end_ns, value) for by, value in values]:
            gauges.append(Metric(f"{SCOPE}.{figure.name}", figure.description, figure.unit, Gauge(points)))
    scope = InstrumentationScope(SCOPE, version)
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, gauges, "")], "")])


def _at(told: Mapping[str, Any], key: str) -> Any:
    """What is at this key; None if that, or what it is in, is null. A list is told by the places in it, from 0."""
    outer, _, inner = key.partition(".")
    if isinstance(told[outer], list):
        return {str(place): each[inner] for place, each in enumerate(told[outer])}
    return (told[outer] or {}).get(inner) if inner else told[outer]


def _values(found: Any, by: str | None) -> Iterator[tuple[dict[str, str], float]]:
    """Each value with its attributes, but for those that were not measured."""
    for name, value in (found or {}).items() if by else [("", found)]:
        if value is not None:
            yield {f"{SCOPE}.{by}": name} if by else {}, int(value) if isinstance(value, bool) else value
