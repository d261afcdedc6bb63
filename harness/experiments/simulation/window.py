"""The discrete-event simulation: the messages of some seconds on their way through the servers of a fleet.

An event is a message, or all messages of a room's tick, that arrives at a server. Single deliveries are not events: a
gateway writes to the members of a room one after another, so its time for a write says when each of them has it, and
all gateways that get a copy are served in one operation on arrays. So a million members cost no more events than ten.
A heap of events and arrays of servers are all that is needed; simpy would run a generator for each queue of each
gateway, a thousand for each message of a large room, which is what makes it slow there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.experiments.simulation.base_latency import BaseLatency
from harness.experiments.simulation.path import Path
from harness.experiments.simulation.plan import Fleet
from harness.experiments.simulation.servers import Floats, Numbers, Servers
from harness.experiments.simulation.service_times import ServiceTimes
from harness.gateway.adaptive_tick import CHECK_S, TICK_MIN_S, next_tick_s

SAMPLES = 4  # deliveries of each message whose latency is looked at
THROWN_MAX = 50  # members for each gateway, up to which each of them picks its gateway by itself


@dataclass(frozen=True, slots=True)
class Driver:
    """One process that reads what all members are sent, as in chatbench's own runs on one machine.

    It reads a message when the gateways have written it: with rooms of thousands, measured latencies are as if the two
    took turns, which on two cores they do.
    """

    read_s: float  # for each write to a member
    delivery_s: float  # for each message in it


class Room:
    """Where a room's members are, and its messages that wait to be written."""

    __slots__ = ("at", "last_written_s", "members_at", "partition", "shard", "waiting")

    def __init__(self, at: Numbers, members_at: Floats, partition: int, shard: int) -> None:
        self.at = at  # gateways with members of it
        self.members_at = members_at  # how many, at each of them
        self.partition = partition
        self.shard = shard
        self.waiting: list[float] = []  # when each of them was sent
        self.last_written_s = -np.inf


@dataclass(frozen=True, slots=True)
class Message:
    room: Room
    sent_s: float
    sender: int  # the gateway that takes it


@dataclass(frozen=True, slots=True)
class Interval:
    """What was counted between two times of a simulation."""

    used_s: dict[str, Floats]  # CPU seconds of each server, by component
    offered_s: dict[str, Floats]  # CPU seconds of the work that came to each server
    waited_ms: dict[str, float]  # the mean wait of a job, by component
    writes: float
    deliveries: float
    latencies_ms: Floats


class Window:
    """The simulation of one window of time, from an empty fleet on."""

    def __init__(
        self,
        fleet: Fleet,
        path: Path,
        times: ServiceTimes,
        base: BaseLatency,
        *,
        seed: int,
        driver: Driver | None = None,  # None: members read by themselves, each on a machine of its own
    ) -> None:
        self._fleet = fleet
        self._path = path
        self._times = times
        self._base = base
        self._driver = driver
        self._random = np.random.default_rng(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self._rooms: dict[int, Room] = {}
        self._all_gateways: Numbers = np.arange(fleet.gateways)
        self._all_partitions: Numbers = np.arange(fleet.gateways) % fleet.partitions  # one record for each gateway
        self._tick_s = np.full(fleet.gateways, TICK_MIN_S)
        self._busy_before_s: Floats = np.zeros(fleet.gateways)
        self._latencies_s: list[Floats] = []
        self._writes = self._deliveries = 0.0
        self.servers = {"gateway": Servers(fleet.gateways)}
        if path.records or path.records_per_gateway:
            self.servers["partition"] = Servers(fleet.partitions)
            self.servers["broker"] = Servers(fleet.brokers, fleet.broker_cores)
        if path.commands:
            self.servers["redis"] = Servers(fleet.shards)
        if path.relayed:
            self.servers["relay"] = Servers(fleet.partitions)
        self._driver_free_s = 0.0

    def run(self, rate_per_s: float, ends_s: list[float]) -> list[Interval]:
        """What is counted up to each of these times, from the one before on; members write until the last one."""
        sends = self._random.random(max(1, round(rate_per_s * ends_s[-1]))) * ends_s[-1]
        rooms = self._random_rooms(len(sends))
        for sent_s, room in zip(np.sort(sends).tolist(), rooms.tolist(), strict=True):
            self._at(sent_s, self._sent, sent_s, room)
        for number in range(1, int(ends_s[-1] / CHECK_S) + 1):
            self._at(number * CHECK_S, self._adapt)
        return [self._until(end_s) for end_s in ends_s]

    def _until(self, end_s: float) -> Interval:
        while self._events and self._events[0][0] < end_s:
            time_s, _, handle, arguments = heapq.heappop(self._events)
            handle(time_s, *arguments)
        counted = Interval(
            used_s={name: each.used_s(end_s) for name, each in self.servers.items()},
            offered_s={name: each.offered_s for name, each in self.servers.items()},
            waited_ms={name: each.waited_mean_ms for name, each in self.servers.items()},
            writes=self._writes,
            deliveries=self._deliveries,
            latencies_ms=1000 * np.concatenate(self._latencies_s) if self._latencies_s else np.zeros(0),
        )
        for each in self.servers.values():
            each.forget(end_s)
        self._busy_before_s = np.zeros(self._fleet.gateways)
        self._writes = self._deliveries = 0.0
        self._latencies_s = []
        return counted

    def _at(self, time_s: float, handle: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (time_s, next(self._numbers), handle, arguments))

    def _random_rooms(self, count: int) -> Numbers:
        if self._fleet.rooms == 1:
            return np.zeros(count, dtype=np.intp)
        others = self._random.integers(1, self._fleet.rooms, count)
        rooms: Numbers = np.where(self._random.random(count) < self._fleet.hot_share, 0, others)
        return rooms

    def _room(self, number: int) -> Room:
        room = self._rooms.get(number)
        if room is None:
            partition, shard = self._random.integers(self._fleet.partitions), self._random.integers(self._fleet.shards)
            at, members_at = self._placed(self._fleet.members_of(number), int(partition))
            room = self._rooms[number] = Room(at, members_at, int(partition), int(shard))
        return room

    def _placed(self, members: float, partition: int) -> tuple[Numbers, Floats]:
        """The gateways of a room's members: that of its owner, or each one at random."""
        gateways = self._fleet.gateways
        if self._path.owned:
            return np.array([partition % gateways]), np.array([members])
        whole = max(1, round(members))
        if self._fleet.in_turn:
            counts = np.bincount((self._random.integers(gateways) + np.arange(whole)) % gateways, minlength=gateways)
        elif whole > THROWN_MAX * gateways:
            counts = self._random.multinomial(whole, np.full(gateways, 1 / gateways))
        else:
            counts = np.bincount(self._random.integers(0, gateways, whole), minlength=gateways)
        at = np.flatnonzero(counts)
        members_at: Floats = counts[at].astype(float) * (members / whole)
        return at, members_at

    # What happens to a message, in this order. Each function has the time of its event first.

    def _sent(self, time_s: float, sent_s: float, number: int) -> None:
        room = self._room(number)
        sender = int(room.at[self._random.integers(len(room.at))])
        message = Message(room, sent_s, sender)
        # A relay is part of its gateway, and does about as much with a message as the gateway that took it.
        share = 0.5 if self._path.relayed else 1.0
        done_s = self.servers["gateway"].serve_one(sender, time_s, share * self._times.message_s)
        follows = self._appended if "partition" in self.servers else self._commanded
        self._at(done_s, follows, message)

    def _appended(self, time_s: float, message: Message) -> None:
        """The message is written to Kafka, and read by as many as read it."""
        partitions, brokers = self.servers["partition"], self.servers["broker"]
        record_s = self._times.record_s
        done_s = time_s
        for _ in range(self._path.records):
            done_s = max(done_s, partitions.serve_one(message.room.partition, time_s, record_s))
            for replica in range(self._fleet.replicas):  # they share what the model says a record costs all brokers
                broker = (message.room.partition + replica) % self._fleet.brokers
                done_s = max(done_s, brokers.serve_one(broker, time_s, record_s / self._fleet.replicas))
        if self._path.records_per_gateway:
            written = np.bincount(self._all_partitions, minlength=self._fleet.partitions)
            which = np.flatnonzero(written)
            work_s: Floats = written[which].astype(float) * (self._path.records_per_gateway * record_s)
            _, ends = partitions.serve(which, time_s, work_s)
            brokers_of = which % self._fleet.brokers
            at_brokers: Floats = np.bincount(brokers_of, work_s, self._fleet.brokers).astype(float)
            _, broker_ends = brokers.serve(np.arange(self._fleet.brokers), time_s, at_brokers)
            done_s = max(done_s, float(np.median(ends)), float(np.median(broker_ends)))
        if self._path.relayed:
            done_s = self._fetched(done_s, message, 1)
            self._at(done_s, self._relayed, message)
        elif self._path.read_everywhere:
            self._copied(self._fetched(done_s, message, self._fleet.gateways), message, None)
        else:
            self._copied(self._fetched(done_s, message, len(message.room.at)), message, None)

    def _fetched(self, time_s: float, message: Message, readers: int) -> float:
        """The brokers' work for the readers; returns when half of them have the message."""
        brokers, work_s = self.servers["broker"], readers * self._times.fetch_s
        if self._path.records_per_gateway:
            every = np.arange(self._fleet.brokers)
            starts, ends = brokers.serve(every, time_s, work_s / self._fleet.brokers)
            return float(np.mean(starts + ends)) / 2
        end_s = brokers.serve_one(message.room.partition % self._fleet.brokers, time_s, work_s)
        return max(time_s, end_s - work_s / self._fleet.broker_cores / 2)

    def _relayed(self, time_s: float, message: Message) -> None:
        """The relay of the room's partition takes its turn on the event loop of its gateway."""
        work_s = 0.5 * self._times.message_s
        at_s = self.servers["relay"].serve_one(message.room.partition, time_s, work_s) - work_s
        gateway = message.room.partition % self._fleet.gateways
        self._at(self.servers["gateway"].serve_one(gateway, at_s, work_s), self._commanded, message)

    def _commanded(self, time_s: float, message: Message) -> None:
        """Redis, with one thread, writes the message to one gateway after another."""
        if "redis" not in self.servers:
            self._copied(time_s, message, None)
            return
        readers = self._fleet.gateways if self._path.read_everywhere else len(message.room.at)
        each_s = self._times.redis_copy_s
        work_s = self._path.commands * self._times.command_s + readers * each_s
        end_s = self.servers["redis"].serve_one(message.room.shard, time_s, work_s)
        later_s: Floats = each_s * np.arange(1.0, readers + 1)
        self._copied(end_s - readers * each_s, message, later_s)

    def _copied(self, time_s: float, message: Message, later_s: Floats | None) -> None:
        """The message is on its way to gateways, to some of them `later_s` than to others."""
        hop_s = self._base.median_ms * float(np.exp(self._base.sigma * self._random.standard_normal())) / 1000
        self._at(time_s + hop_s, self._arrived, message, later_s)

    def _arrived(self, time_s: float, message: Message, later_s: Floats | None) -> None:
        room = message.room
        which = self._all_gateways if self._path.read_everywhere else room.at
        at_s: Floats | float = time_s if later_s is None else time_s + later_s
        _, ends = self.servers["gateway"].serve(which, at_s, self._times.copy_s)
        ready_s = float(np.mean(ends if len(which) == len(room.at) else ends[room.at]))
        room.waiting.append(message.sent_s)
        if len(room.waiting) == 1:
            tick_s = float(np.mean(self._tick_s[room.at])) / TICK_MIN_S * self._times.tick_s
            quiet = ready_s - room.last_written_s >= tick_s
            self._at(ready_s if quiet else ready_s + tick_s, self._written, room)

    def _written(self, time_s: float, room: Room) -> None:
        """A gateway writes to the room's members one after another; what came meanwhile goes with it."""
        sent_s, room.waiting = np.array(room.waiting), []
        together = len(sent_s)
        work_s = room.members_at * (self._times.write_s + together * self._times.delivery_s)
        starts, ends = self.servers["gateway"].serve(room.at, time_s, work_s)
        room.last_written_s = float(np.mean(starts))
        members = float(room.members_at.sum())
        self._writes += members
        self._deliveries += members * together
        place = self._random.random((together, SAMPLES))  # among the members of a gateway
        if self._driver is None:
            gateway = self._some_gateways(room, place.shape)
            heard_s = starts[gateway] + place * (ends - starts)[gateway]
        else:
            start_s = max(self._driver_free_s, float(ends.mean()))
            self._driver_free_s = start_s + members * (self._driver.read_s + together * self._driver.delivery_s)
            heard_s = start_s + place * (self._driver_free_s - start_s)
        self._latencies_s.append((heard_s - sent_s[:, None]).ravel())

    def _some_gateways(self, room: Room, shape: tuple[int, ...]) -> Numbers:
        """Gateways at random, each as often as it has members of the room."""
        if len(room.at) == 1:
            return np.zeros(shape, dtype=np.intp)
        shares = np.cumsum(room.members_at)
        found: Numbers = np.searchsorted(shares, self._random.random(shape) * shares[-1], side="right")
        return found

    def _adapt(self, _time_s: float) -> None:
        """Each gateway adapts its tick to how busy its event loop was."""
        busy_s = self.servers["gateway"].offered_s
        busy = (busy_s - self._busy_before_s) / CHECK_S + self._times.idle_gateway_cores
        self._busy_before_s = busy_s.copy()
        for number in np.flatnonzero((busy > 0.5) | (self._tick_s > TICK_MIN_S)):
            self._tick_s[number] = next_tick_s(float(self._tick_s[number]), min(1.0, float(busy[number])))
