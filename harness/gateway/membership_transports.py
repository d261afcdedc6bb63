"""Chooses where a fleet keeps its leases: in the Kafka, Redis or NATS that its gateways share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from architectures.interface import Services, Topology
from harness.gateway.leases import LEASE_S, LeaseStore
from harness.gateway.leases_kafka import kafka_leases
from harness.gateway.leases_nats import nats_leases
from harness.gateway.leases_redis import redis_leases
from harness.gateway.membership import RENEW_EVERY_S, Membership

MEMBERSHIP = "membership"


@contextlib.asynccontextmanager
async def shared_membership(services: Services, topology: Topology, url: str, shape: str) -> AsyncIterator[Membership]:
    """Yield a membership with a place for each gateway of the topology, kept in Kafka, or else in Redis or NATS."""
    async with _leases(services, topology) as store:
        yield Membership(topology.gateways, url, shape, store)


def _leases(services: Services, topology: Topology) -> contextlib.AbstractAsyncContextManager[LeaseStore]:
    if services.kafka_bootstrap is not None:
        return kafka_leases(services, topology, MEMBERSHIP)
    if services.redis_url is not None:
        return redis_leases(services.redis_url, topology.topic(MEMBERSHIP), topology.gateways)
    assert services.nats_url is not None, "an architecture without a backend has one gateway and no membership"
    return nats_leases(services.nats_url, topology.topic(MEMBERSHIP), topology.gateways)


async def who_is_there(services: Services, topology: Topology) -> set[str]:
    """Return the URLs of the gateways that hold a place in the fleet whose membership is in this Kafka."""
    deadline = time.monotonic() + LEASE_S + RENEW_EVERY_S
    async with kafka_leases(services, topology, MEMBERSHIP) as leases:
        while True:
            holders = await leases.holders()  # at first, some of them may have ended already
            if not holders or time.monotonic() > deadline:
                return {holder.url for holder in holders.values()}
            await asyncio.sleep(RENEW_EVERY_S)
