"""What the brokers themselves count: records, requests and bytes, from the Prometheus JMX exporter; and their disks."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from harness.errors import ServiceFailed
from harness.services.broker import Broker


class KafkaCounters(msgspec.Struct, frozen=True):
    """Totals over all brokers since they started, for the topics of one run."""

    records: int  # appended by leaders; copies made by replication are not counted again
    produce_requests: int  # of all topics: a request may carry records for several
    bytes_in: int
    bytes_out: int
    disk_bytes: int  # segments of every replica

    def since(self, before: KafkaCounters) -> KafkaCounters:
        return KafkaCounters(
            records=self.records - before.records,
            produce_requests=self.produce_requests - before.produce_requests,
            bytes_in=self.bytes_in - before.bytes_in,
            bytes_out=self.bytes_out - before.bytes_out,
            disk_bytes=self.disk_bytes - before.disk_bytes,
        )


def read_counters(brokers: Sequence[Broker], topic_prefix: str) -> KafkaCounters:
    """Scrape every broker; raises ServiceFailed if one does not answer."""
    totals = dict.fromkeys(("messagesin", "bytesin", "bytesout"), 0.0)
    produce_requests = 0.0
    for broker in brokers:
        for family in text_string_to_metric_families(_scrape(broker)):
            for sample in family.samples:
                kind = sample.name.removeprefix("kafka_topic_").removesuffix("_total")
                if kind in totals and sample.labels.get("topic", "").startswith(topic_prefix):
                    totals[kind] += sample.value
                elif sample.name == "kafka_requests_total" and sample.labels["request"] == "Produce":
                    produce_requests += sample.value
    return KafkaCounters(
        records=round(totals["messagesin"]),
        produce_requests=round(produce_requests),
        bytes_in=round(totals["bytesin"]),
        bytes_out=round(totals["bytesout"]),
        disk_bytes=_disk_bytes(brokers, topic_prefix),
    )


def _scrape(broker: Broker) -> str:
    url = f"http://127.0.0.1:{broker.metrics_port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError) as problem:
        raise ServiceFailed(
            f"the metrics of kafka broker {broker.node} cannot be read ({problem}); its log is {broker.log}"
        ) from problem


def _disk_bytes(brokers: Sequence[Broker], topic_prefix: str) -> int:
    # The index files beside the segments are preallocated at 10 MiB and mostly holes: they say nothing.
    return sum(
        segment.stat().st_size for broker in brokers for segment in broker.log_dir.glob(f"{topic_prefix}*/*.log")
    )
