"""Kafka as a backend of a run."""

from __future__ import annotations

from architectures.interface import Services
from harness.services.backend import BackendType, Site
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.external import cluster_settings, remove_traces
from harness.services.kafka.install import ensure_installation
from harness.services.kafka.metrics import KafkaPerMessage
from peers.interface import OnProgress


def _begin(site: Site, on_progress: OnProgress) -> Kafka:
    installation = ensure_installation(on_progress)
    kafka = Kafka.make(installation, site.brokers, site.workdir, site.logs, proxied=site.proxied)
    try:
        kafka.start()
    except BaseException:
        kafka.stop()
        raise
    return kafka


def _part_of(services: Services) -> Services:
    return Services(kafka_bootstrap=services.kafka_bootstrap, kafka_settings=services.kafka_settings)


KAFKA = BackendType(
    name="kafka",
    component="kafka",
    product="Kafka",
    target="broker",
    not_counted=KafkaPerMessage(),
    part_of=_part_of,
    settings_at=cluster_settings,
    remove_traces=remove_traces,
    begin=_begin,
    borrow=Kafka.borrow,
)
