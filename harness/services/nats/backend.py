"""NATS as a backend of a run."""

from __future__ import annotations

from architectures.interface import Services
from harness.services.backend import BackendType, Site, nothing_to_record, nothing_to_remove
from harness.services.nats.metrics import NatsPerMessage
from harness.services.nats.server import NatsServer, start_nats
from peers.interface import OnProgress


def _begin(site: Site, _on_progress: OnProgress) -> NatsServer:
    return start_nats(site.logs / "nats.log")


def _part_of(services: Services) -> Services:
    return Services(nats_url=services.nats_url)


NATS = BackendType(
    name="nats",
    component="nats",
    product="NATS",
    target="nats",
    not_counted=NatsPerMessage(),
    part_of=_part_of,
    settings_at=nothing_to_record,
    remove_traces=nothing_to_remove,
    begin=_begin,
    borrow=NatsServer.borrow,
)
