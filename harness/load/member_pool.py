"""The members of one Locust process: their numbers, the phases they speak in, and the channel to their audience."""

from __future__ import annotations

import heapq
import inspect
import itertools
import math
import os
import string
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.event import AsyncResult, Event
from locust.env import Environment

from harness.core.gc_tuning import collect_seldom
from harness.core.payload import BABBLE_BYTES
from harness.core.registry import source_digests
from harness.core.token import TOKEN_VARIABLE
from harness.ipc import coordinator_clock as clock
from harness.ipc import messages as msg
from harness.ipc.channel import Channel, ChannelClosed, spawn_peer
from harness.load.mistakes import mistake_text, scenario_of
from harness.load.process_usage import Usage
from harness.load.scenario_watch import ScenarioWatch, WatchedMember
from harness.load.schedule import Schedule, Speaker
from harness.measure import host_clock
from harness.services.processes import reason_in

JOIN_TIMEOUT_S = 60.0
LATE_SENDS_GRACE_S = 1.0
ARRIVALS_S = 0.1


class NotJoined(Exception):
    """The member could not join the room."""


class Seat(NamedTuple):
    """The numbers that identify a member."""

    place: int  # within its class
    number: int  # within the test


class PooledMember(WatchedMember, Speaker, Protocol):
    """What a pool needs of its members."""

    @property
    def index(self) -> int: ...

    @property
    def seat(self) -> Seat: ...


class MemberPool:
    """All members of this process, for one test."""

    def __init__(
        self,
        environment: Environment,
        order: msg.Assemble,
        audience_log: Path,
        tell: Callable[[msg.FromMemberPool], None],
    ) -> None:
        self._channel: Channel[msg.FromAudience]
        self.audience, self._channel = spawn_peer(
            "the audience process",
            "harness.audience.engine",
            audience_log,
            msg.FromAudience,
            secrets=[TOKEN_VARIABLE],
        )
        self._tell = tell
        self._entering: dict[tuple[int, str], AsyncResult] = {}
        self._next_phase = Event()
        self._closing = False
        self.load = order.load
        self._urls = order.urls
        self._rank = order.worker
        self.classes = {plan.name: plan for plan in order.classes}
        self.first_kinds: dict[str, int] = {}  # by class: the number of its first kind of message
        for number, kind in enumerate(order.kinds):
            self.first_kinds.setdefault(kind.member, number)
        self._spawned: Counter[str] = Counter()  # seats given out, by class; a seat that is reused counts once
        self._free: defaultdict[str, list[Seat]] = defaultdict(list)  # seats of members that have stopped, by class
        planned = sum(plan.members for plan in order.classes)
        self._beyond = itertools.count(planned + order.worker, order.workers)  # numbers of members beyond the plan
        self._came = self._went = 0  # members spawned and stopped since AskRates
        # Messages sent by each number: message ids stay unique when another member takes over a number.
        self.sequences: Counter[int] = Counter()
        self._returns: Counter[tuple[int, str]] = Counter()
        self.members: dict[int, PooledMember] = {}
        self.schedules: dict[int, Schedule] = {}  # by the member's number
        self.watch = ScenarioWatch(environment, self.members, lambda problem: tell(msg.Broken(problem=problem)))
        self._new = msg.Arrivals(joined=0, connect_ms=[], join_ms=[])
        self.phase: msg.BeginPhase | None = None
        self.end_ns = 0
        self.speaks = False  # some member has called `say`
        # Every message is a slice of the same random text, so that making a message costs nothing at run time.
        letters = Random(order.load.seed).choices(string.ascii_letters + string.digits + " ", k=BABBLE_BYTES)
        self.babble = "".join(letters)
        self.ask_audience(msg.Gateways(urls=order.urls))
        MEMBER_POOLS[environment] = self
        gevent.spawn(self._listen)
        gevent.spawn(self._tell_arrivals)
        collect_seldom()
        self._usage = Usage({"locust": os.getpid(), "audience": self.audience.pid})
        sources = source_digests(environment.user_classes)
        tell(msg.Assembled(version=version("chatbench"), sources=sources, protocol=msg.protocol()))

    def close(self) -> None:
        """End the audience process, which closes every member's socket."""
        self._closing = True
        self.watch.close()
        self._channel.close()
        self.audience.stop()

    def obey(self, order: msg.ToMemberPool) -> None:
        match order:
            case msg.BeginPhase():
                self._begin(order)
            case msg.FollowClock():
                clock.follow(order.ahead_ns)
                self.ask_audience(order)
            case msg.CutShort():
                self.end_ns = min(self.end_ns, order.end_ns)
            case msg.AskRates():
                self._tell(self._rates())
            case msg.Probe() | msg.ClosePhase():
                self.ask_audience(order)
                collect_seldom()  # no member speaks at this moment
            case msg.SlowDown() | msg.Collect():
                self.ask_audience(order)

    def ask_audience(self, message: msg.ToAudience) -> None:
        self._channel.send(message)

    # --- members

    def admit(self, member: PooledMember) -> Seat:
        """Give the new member the lowest free seat of its class in this pool."""
        name = type(member).__name__
        seat = heapq.heappop(self._free[name]) if self._free[name] else self._next_seat(name)
        self.members[seat.number] = member
        self.schedules[seat.number] = Schedule(member, self)
        self.watch.expect(member)
        self._came += 1
        return seat

    def _next_seat(self, name: str) -> Seat:
        plan, count = self.classes[name], self._spawned[name]
        self._spawned[name] += 1
        if count < plan.on_workers[self._rank]:
            place = plan.place(self._rank, count)
            return Seat(place, plan.first + place)
        return Seat(count, next(self._beyond))

    def release(self, member: PooledMember) -> None:
        """Free the seat of a member whose user has stopped, and close its connections."""
        self.schedules.pop(member.index, None)
        if self.members.pop(member.index, None) is not None and not self._closing:
            self.watch.forget(member)
            self._went += 1
            heapq.heappush(self._free[type(member).__name__], member.seat)
            self.ask_audience(msg.HangUp(member=member.index))

    def _rates(self) -> msg.Rates:
        """Return the members' rates at their most active, before they are scaled to the run's rate.

        The members present now are the members of the test. From now on, arrivals and departures are counted.
        """
        self._came = self._went = 0
        classes: dict[str, msg.ClassRates] = {}
        for name in self.classes:
            numbers = [number for number, each in self.members.items() if type(each).__name__ == name]
            rates_per_s = [self.schedules[number].most_active_rate_per_s() for number in numbers]
            classes[name] = msg.ClassRates(
                members=len(numbers), rate_per_s=math.fsum(rates_per_s), busiest_per_s=max(rates_per_s, default=0.0)
            )
        return msg.Rates(classes=classes)

    def enter(self, number: int, room: str, read_bytes_per_s: float | None, *, resumes: bool) -> None:
        """Return when the member is in the room; raises NotJoined if it could not join."""
        answer = self._entering[(number, room)] = AsyncResult()
        # Members with neighbouring numbers connect to different gateways.
        place = number
        if resumes:  # each return goes to the next gateway, as it may behind a load balancer
            place += self._returns[number, room]
            self._returns[number, room] += 1
        enter = msg.Enter(number, self._urls[place % len(self._urls)], room, read_bytes_per_s, resumes)
        self.ask_audience(enter)
        try:
            answer.get(timeout=JOIN_TIMEOUT_S)
        except gevent.Timeout as late:
            raise NotJoined(f"no gateway answered a join within {JOIN_TIMEOUT_S:g} s") from late
        finally:
            self._entering.pop((number, room), None)

    # --- what the audience says

    def _listen(self) -> None:
        try:
            while True:
                news = self._channel.receive()
                assert news is not None
                self._note(news)
        except ChannelClosed:
            if not self._closing:
                self.audience.await_end()
                self._tell(msg.Failed(problem=f"the audience process ended: {reason_in(self.audience.log)}"))

    def _note(self, news: msg.FromAudience) -> None:
        match news:
            case msg.Entered():
                self._arrived(news)
            case msg.MemberFailed():
                for (member, _room), answer in self._entering.items():
                    if member == news.member:
                        answer.set_exception(NotJoined(news.reason))
                self._tell(news)
            case msg.AudienceSecond():
                self._tell(msgspec.structs.replace(news, cpu_ms=self._usage.lap_ms()))
            case _:
                self._tell(news)

    def _arrived(self, entered: msg.Entered) -> None:
        self._new.join_ms.append(entered.join_ms)
        if entered.connect_ms is not None:
            self._new.connect_ms.append(entered.connect_ms)
        if answer := self._entering.get((entered.member, entered.room)):
            answer.set(None)

    def _tell_arrivals(self) -> None:
        while not self._closing:
            gevent.sleep(ARRIVALS_S)
            new, self._new = self._new, msg.Arrivals(joined=0, connect_ms=[], join_ms=[])
            if new.join_ms:
                # Only a first connection is a member that has joined the test; other joins are its further rooms.
                self._tell(msgspec.structs.replace(new, joined=len(new.connect_ms)))

    # --- phases

    def _begin(self, phase: msg.BeginPhase) -> None:
        """Let members speak from the phase's start to its end."""
        self.ask_audience(phase)
        self.phase, self.end_ns = phase, phase.end_ns
        began, self._next_phase = self._next_phase, Event()
        began.set()
        gevent.spawn(self._end, phase)

    def phase_after(self, finished: msg.BeginPhase | None) -> msg.BeginPhase:
        """Block until there is a phase other than `finished`, and return it."""
        while self.phase is None or self.phase is finished:
            self._next_phase.wait()
        return self.phase

    def _end(self, phase: msg.BeginPhase) -> None:
        """Wait for the phase's end, then report how many scheduled messages could not be sent by then."""
        gevent.sleep(max(0, phase.start_ns - clock.time_ns()) / 1e9)
        self._usage.begin()
        while (remaining_s := (self.end_ns - clock.time_ns()) / 1e9) > 0:
            gevent.sleep(min(remaining_s, 0.1))  # CutShort may move the end forward
        used = self._usage.end()
        came, went = self._came, self._went
        grace_ends = time.monotonic() + LATE_SENDS_GRACE_S
        while any(schedule.is_behind() for schedule in self.schedules.values()) and time.monotonic() < grace_ends:
            gevent.sleep(0.02)
        not_sent: Counter[str] = Counter(dict.fromkeys(self.classes, 0))
        for number, member in self.members.items():
            not_sent[type(member).__name__] += self.schedules[number].count_unsaid(phase)
        self.ask_audience(msg.EndPhase())
        self._tell(msg.Unsaid(not_sent=dict(not_sent), used=used, came=came, went=went, speaks=self.speaks))


# A member finds its pool here, because Locust passes it only its Environment.
MEMBER_POOLS: WeakKeyDictionary[Environment, MemberPool] = WeakKeyDictionary()


def serve_coordinator(environment: Environment, audience_log: Path) -> None:
    """Make this process's pools, one for each test, and report every failure of the scenario to the coordinator."""
    runner: Any = environment.runner
    decode = msgspec.msgpack.Decoder(msg.ToMemberPool).decode

    def tell(news: msg.FromMemberPool) -> None:
        runner.send_message(msg.NEWS, msgspec.msgpack.encode(news))

    def hear(**event: Any) -> None:
        try:
            order = decode(event["msg"].data)
        except msgspec.DecodeError:
            tell(msg.Broken(problem=msg.OTHER_PROTOCOL))
        else:
            obey(order)

    def obey(order: msg.ToMemberPool) -> None:
        pool = MEMBER_POOLS.get(environment)
        if isinstance(order, msg.AskTime):
            tell(msg.Time(host_ns=time.time_ns(), clock=host_clock.identity()))
        elif isinstance(order, msg.Assemble):
            if pool is not None:
                pool.close()
            if order.protocol:
                MemberPool(environment, order, audience_log, tell)
            else:  # the coordinator is too old to compare its protocol with ours
                tell(msg.Broken(problem=msg.OTHER_PROTOCOL))
        elif pool is not None:
            try:
                pool.obey(order)
            except ChannelClosed:
                pass  # reported by the greenlet that listens to the audience
            except Exception as problem:  # noqa: BLE001 - the order may call the locustfile's code, which can raise anything
                tell(msg.Broken(problem=mistake_text(problem, scenario_of(environment))))

    def tell_error(exception: Exception, user_instance: Any, **_: Any) -> None:
        # ChannelClosed means that the audience has ended. The scenario did not cause it, and msg.Failed reports it.
        if not isinstance(exception, ChannelClosed):
            member = getattr(user_instance, "user", user_instance)  # Locust passes a task set or its user
            tell(msg.Broken(problem=mistake_text(exception, inspect.getfile(type(member)))))

    def close(**_: Any) -> None:
        if (pool := MEMBER_POOLS.get(environment)) is not None:
            pool.close()

    runner.register_message(msg.ORDER, hear)
    environment.events.user_error.add_listener(tell_error)  # type: ignore[no-untyped-call]  # Locust's
    environment.events.quitting.add_listener(close)  # type: ignore[no-untyped-call]  # Locust's
