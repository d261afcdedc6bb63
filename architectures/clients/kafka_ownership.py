"""Which gateway owns which partition: a consumer group decides, and a topic of claims tells all gateways.

Kafka assigns each partition to one member of a consumer group, and moves partitions when a gateway joins or leaves. The
assignment is cooperative: only partitions that must move do, and they are revoked before they are assigned again. But
Kafka tells only the member itself. So a gateway that was assigned a partition writes a *claim* into a topic with one
partition, which all gateways read from its beginning. All read the same order, so all derive the same table.

    assigned:       start serving it, then write the claim
    revoked:        write that no gateway serves it, stop serving it, then give it back to the group
    gateway dead:   its claims stay until the group notices (session timeout) and the next owner writes its own
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from confluent_kafka import Consumer, Message, TopicPartition

from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, assign_from_start
from architectures.clients.kafka_settings import consumer_settings, group_settings, partition_count
from architectures.interface import Services, Topology

SETTLED_TIMEOUT_S = 30.0
MOVE_TIMEOUT_S = 30.0  # far below max.poll.interval.ms, after which the group would remove this gateway
UNOWNED = b""
# The last claim of a partition counts until the next one, which may come months later in a long-running fleet. So Kafka
# must keep the last claim whatever its age, and no others.
CLAIMS_SETTINGS = {"cleanup.policy": "compact"}


class Ownership:
    """One gateway's view of the ownership: call `open`, then `owner`, and finally `close`.

    `take` and `let_go` are awaited on the event loop, with the partitions that were assigned or revoked, and the group
    waits for them. If one takes longer than MOVE_TIMEOUT_S, it is cancelled and the gateway fails.
    """

    def __init__(
        self,
        services: Services,
        topology: Topology,
        gateway: int,
        *,
        take: Callable[[Sequence[int]], Awaitable[None]],
        let_go: Callable[[Sequence[int]], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._services = services
        self._topology = topology
        self._gateway = gateway
        self._take = take
        self._let_go = let_go
        self._failed = failed
        self._mine: set[int] = set()
        self._claims: dict[int, int] = {}  # partition -> the gateway that claimed it last
        self._settled = asyncio.Event()

    @staticmethod
    def claims_topic(topology: Topology) -> str:
        return topology.topic("claims")

    def owner(self, partition: int) -> int | None:
        """Return the gateway that serves the partition; None while it moves between gateways."""
        if partition in self._mine:
            return self._gateway
        claimed_by = self._claims.get(partition)
        return None if claimed_by == self._gateway else claimed_by

    async def open(self, topic: str) -> None:
        """Join the group; returns when every partition is served and every gateway serves some.

        After SETTLED_TIMEOUT_S it stops waiting for missing gateways. Raises TimeoutError if a partition has no owner
        by then.
        """
        name = f"{self._topology.run_id}-gateway-{self._gateway}-owner"
        topic_of_claims = self.claims_topic(self._topology)
        self._producer = await AckedProducer.to(self._services, topic_of_claims, name, self._failed)
        claims = Consumer(consumer_settings(self._services, f"{name}-claims", group=name))
        assign_from_start(claims, topic_of_claims, [0])
        self._claims_reader = BatchReader(claims, self._on_claims, self._failed)
        group = f"{self._topology.run_id}-owners"
        member = Consumer({**consumer_settings(self._services, name, group), **group_settings()})
        member.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        # This consumer reads no records, because its partitions are paused. Polling keeps it a member of the group.
        self._membership = BatchReader(member, lambda _records: None, self._failed)
        try:
            await asyncio.wait_for(self._settled.wait(), SETTLED_TIMEOUT_S)
        except TimeoutError:
            unserved = [p for p in range(partition_count(self._topology)) if self.owner(p) is None]
            if unserved:
                raise TimeoutError(f"no gateway owns the partitions {unserved} of {topic}") from None

    async def close(self) -> None:
        """Give back all partitions, in order, leave the group, and disconnect, also where giving back fails."""
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self._producer.close)
            last_first.push_async_callback(self._claims_reader.close)
            last_first.push_async_callback(self._membership.close)

    # --- called by librdkafka on the thread of the membership, which waits for the event loop

    def _on_assign(self, member: Consumer, places: list[TopicPartition]) -> None:
        member.incremental_assign(places)
        if places:
            member.pause(places)
            self._on_loop(self._begin_to_serve([place.partition for place in places]))

    def _on_revoke(self, member: Consumer, places: list[TopicPartition]) -> None:
        self._on_loop(self._cease_to_serve([place.partition for place in places], claimed=True))
        member.incremental_unassign(places)

    def _on_lost(self, member: Consumer, places: list[TopicPartition]) -> None:
        # The group has removed this gateway, and another one may have claimed these partitions: do not change claims.
        self._on_loop(self._cease_to_serve([place.partition for place in places], claimed=False))
        member.incremental_unassign(places)

    def _on_loop(self, work: Awaitable[None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(MOVE_TIMEOUT_S):
                await work

        asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()

    # --- on the event loop

    async def _begin_to_serve(self, partitions: Sequence[int]) -> None:
        await self._take(partitions)
        self._mine.update(partitions)
        await self._claim(partitions, str(self._gateway).encode())

    async def _cease_to_serve(self, partitions: Sequence[int], *, claimed: bool) -> None:
        self._mine.difference_update(partitions)
        if claimed:
            await self._claim(partitions, UNOWNED)
        await self._let_go(partitions)

    async def _claim(self, partitions: Sequence[int], by: bytes) -> None:
        topic = self.claims_topic(self._topology)
        await asyncio.gather(*(self._producer.send(topic, (0,), str(p).encode(), by, None) for p in partitions))

    def _on_claims(self, records: Sequence[Message]) -> None:
        for record in records:
            partition, by = record.key(), record.value()
            assert isinstance(partition, bytes)
            assert isinstance(by, bytes)
            if by == UNOWNED:
                self._claims.pop(int(partition), None)
            else:
                self._claims[int(partition)] = int(by)
        partitions = partition_count(self._topology)
        owners = set(self._claims.values())
        if len(self._claims) == partitions and len(owners) >= min(self._topology.gateways, partitions):
            self._settled.set()
