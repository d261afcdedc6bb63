"""What the brokers count themselves: records, requests and bytes, from the Prometheus JMX exporter, and disk space."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from harness.core.errors import ServiceFailed
from harness.core.units import per
from harness.services.kafka.broker import Broker


class BrokerPerMessage(msgspec.Struct, frozen=True):
    """What one broker did for each message."""

    appends_per_message: float | None  # records written to its logs, as leader or as follower
    produce_requests_per_message: float | None
    disk_bytes_per_message: float | None


class KafkaPerMessage(msgspec.Struct, frozen=True):
    """What all brokers together did for each message, and what each of them did. None: not measured."""

    records_per_message: float | None = None
    produce_requests_per_message: float | None = None
    bytes_in_per_message: float | None = None
    bytes_out_per_message: float | None = None
    disk_bytes_per_message: float | None = None
    brokers: dict[int, BrokerPerMessage] = {}  # by node


class BrokerCounters(msgspec.Struct, frozen=True):
    """Totals of one broker since it started, for the topics of one run."""

    records: int  # appended as leader; copies made by replication are not counted again
    appends: int  # records written to its logs, as leader or as follower
    produce_requests: int  # of all topics: a request may carry records for several
    bytes_in: int
    bytes_out: int
    disk_bytes: int  # segments of every replica

    def __add__(self, other: BrokerCounters) -> BrokerCounters:
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return BrokerCounters(**{name: mine[name] + theirs[name] for name in mine})

    def since(self, before: BrokerCounters) -> BrokerCounters:
        mine, earlier = msgspec.structs.asdict(self), msgspec.structs.asdict(before)
        return BrokerCounters(**{name: mine[name] - earlier[name] for name in mine})


class KafkaCounters(msgspec.Struct, frozen=True):
    """The counters of each broker, by its node."""

    brokers: Mapping[int, BrokerCounters]

    @property
    def total(self) -> BrokerCounters:
        return sum(self.brokers.values(), BrokerCounters(0, 0, 0, 0, 0, 0))

    def since(self, before: KafkaCounters) -> KafkaCounters:
        return KafkaCounters({node: each.since(before.brokers[node]) for node, each in self.brokers.items()})

    def per_message(self, sent: int) -> KafkaPerMessage:
        """The counters divided by the messages sent."""
        total = self.total
        return KafkaPerMessage(
            records_per_message=per(total.records, sent),
            produce_requests_per_message=per(total.produce_requests, sent),
            bytes_in_per_message=per(total.bytes_in, sent),
            bytes_out_per_message=per(total.bytes_out, sent),
            disk_bytes_per_message=per(total.disk_bytes, sent),
            brokers={
                node: BrokerPerMessage(
                    appends_per_message=per(each.appends, sent),
                    produce_requests_per_message=per(each.produce_requests, sent),
                    disk_bytes_per_message=per(each.disk_bytes, sent),
                )
                for node, each in self.brokers.items()
            },
        )


def read_counters(brokers: Sequence[Broker], topic_prefix: str) -> KafkaCounters:
    """Scrape every broker; raises ServiceFailed if one does not answer."""
    return KafkaCounters({broker.node: _read(broker, topic_prefix) for broker in brokers})


def _read(broker: Broker, topic_prefix: str) -> BrokerCounters:
    totals = dict.fromkeys(("messagesin", "bytesin", "bytesout"), 0.0)
    produce_requests = appends = 0.0
    for family in text_string_to_metric_families(_scrape(broker)):
        for sample in family.samples:
            of_the_run = sample.labels.get("topic", "").startswith(topic_prefix)
            kind = sample.name.removeprefix("kafka_topic_").removesuffix("_total")
            if kind in totals and of_the_run:
                totals[kind] += sample.value
            elif sample.name == "kafka_log_end_offset" and of_the_run:
                appends += sample.value
            elif sample.name == "kafka_requests_total" and sample.labels["request"] == "Produce":
                produce_requests += sample.value
    return BrokerCounters(
        records=round(totals["messagesin"]),
        appends=round(appends),
        produce_requests=round(produce_requests),
        bytes_in=round(totals["bytesin"]),
        bytes_out=round(totals["bytesout"]),
        disk_bytes=_disk_bytes(broker, topic_prefix),
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


def _disk_bytes(broker: Broker, topic_prefix: str) -> int:
    # The index files beside the segments are preallocated at 10 MiB and mostly holes: they say nothing.
    return sum(segment.stat().st_size for segment in broker.log_dir.glob(f"{topic_prefix}*/*.log"))
