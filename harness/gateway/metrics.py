"""A gateway's counters as OpenMetrics text, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from harness.gateway.settings import GatewayStats

__all__ = ["CONTENT_TYPE_LATEST", "OpenMetrics"]
COUNTERS = {
    "frames_out": ("deliveries", "Messages handed to a member's connection."),
    "writes": ("writes", "Writes to members' connections; one write carries all that a room has for a member."),
    "bytes_out": ("sent_bytes", "Bytes of these messages, with their frames."),
    "wasted": ("wasted", "Copies that arrived for rooms without members here."),
}


class OpenMetrics(Collector):
    """Exports the gateway's counters and the resources that its process has used; `text` answers a scrape."""

    def __init__(self, arch: str, gateway: int, stats: Callable[[], GatewayStats]) -> None:
        self._labels = {"arch": arch, "gateway": str(gateway)}
        self._stats = stats
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> str:
        return str(generate_latest(self._registry), "utf-8")  # type: ignore[no-untyped-call]  # prometheus-client's

    def collect(self) -> Iterator[Metric]:
        stats, names, values = self._stats(), list(self._labels), list(self._labels.values())
        for field, help_text in (("members", "Connections that are open."), ("rooms", "Rooms with members here.")):
            gauge = GaugeMetricFamily(f"chatbench_gateway_{field}", help_text, labels=names)
            gauge.add_metric(values, getattr(stats, field))
            yield gauge
        buffered = GaugeMetricFamily(
            "chatbench_gateway_buffered_bytes", "Bytes held, by what they wait for.", labels=[*names, "waits_for"]
        )
        for waits_for, size_bytes in stats.buffered_bytes.items():
            buffered.add_metric([*values, waits_for], size_bytes)
        yield buffered
        for field, (name, help_text) in COUNTERS.items():
            counter = CounterMetricFamily(f"chatbench_gateway_{name}", help_text, labels=names)
            counter.add_metric(values, getattr(stats, field))
            yield counter
        events = CounterMetricFamily(
            "chatbench_gateway_events", "Events, with every drop by its cause.", labels=[*names, "event"]
        )
        for event, count in sorted(stats.counts.items()):
            events.add_metric([*values, event], count)
        yield events
