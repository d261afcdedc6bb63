"""The Locust process's side of the load: its members, the phases they speak in, the channel to the audience."""

from __future__ import annotations

import os
import string
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.event import AsyncResult, Event
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry

from harness.load import messages as msg
from harness.load.channel import Channel, ChannelClosed, spawn_peer
from harness.services.supervise import reason_in

if TYPE_CHECKING:
    from harness.load.member import Member

JOIN_TIMEOUT_S = 60.0
LATE_SENDS_GRACE_S = 1.0
BABBLE_BYTES = 1 << 17
ROW_TYPE = "chat"  # the "method" of all rows in Locust's statistics


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario may know of the run (`self.load`)."""

    members: int
    rooms: int
    rate_per_s: float  # messages of all members together
    payload_bytes: int
    seed: int


class NotJoined(Exception):
    """The member could not get into the room."""


class Crowd:
    """All members of this Locust process."""

    def __init__(
        self,
        environment: Environment,
        load: LoadSettings,
        audience_log: Path,
        on_news: Callable[[msg.FromAudience | msg.Failed], None],
    ) -> None:
        self._channel: Channel[msg.FromAudience]
        self.audience, self._channel = spawn_peer(
            "the audience process", "harness.load.audience", audience_log, msg.FromAudience
        )
        self._environment = environment
        self._on_news = on_news
        self._entering: dict[tuple[int, str], AsyncResult] = {}
        self._next_phase = Event()
        self._closing = False
        self.load = load
        self.urls: list[str] = []
        self.members: list[Member] = []
        self.joined = 0
        self.failures: list[str] = []
        self.phase: msg.BeginPhase | None = None
        self.end_ns = 0
        # Every member speaks a slice of the same noise: making text costs nothing at run time.
        letters = Random(load.seed).choices(string.ascii_letters + string.digits + " ", k=BABBLE_BYTES)
        self.babble = "".join(letters)
        CROWDS[environment] = self
        gevent.spawn(self._listen)

    @property
    def pids(self) -> list[int]:
        return [os.getpid(), self.audience.pid]

    def tell(self, message: msg.ToAudience) -> None:
        self._channel.send(message)

    def close(self) -> None:
        """End the audience process, and with it every member's socket."""
        self._closing = True
        self._channel.close()
        self.audience.stop()

    # --- members

    def admit(self, member: Member) -> int:
        """The new member's number."""
        self.members.append(member)
        return len(self.members) - 1

    def enter(self, index: int, room: str) -> None:
        """Returns when the member is in the room; raises NotJoined if it could not get in."""
        answer = self._entering[(index, room)] = AsyncResult()
        # Neighbours in number sit on different gateways, whatever the scenario does with the number.
        self.tell(msg.Enter(member=index, url=self.urls[index % len(self.urls)], room=room))
        try:
            answer.get(timeout=JOIN_TIMEOUT_S)
        except gevent.Timeout as late:
            raise NotJoined(f"no answer to a join within {JOIN_TIMEOUT_S:g} s") from late
        finally:
            self._entering.pop((index, room), None)

    def _listen(self) -> None:
        try:
            while True:
                news = self._channel.receive()
                assert news is not None
                self._note(news)
                self._on_news(news)
        except ChannelClosed:
            if self._closing:
                return
            self._on_news(msg.Failed(problem=f"the audience process ended: {reason_in(self.audience.log)}"))

    def _note(self, news: msg.FromAudience) -> None:
        match news:
            case msg.Entered():
                if news.connect_ms is not None:
                    self.joined += 1  # members, not rooms
                    self._row("connect", news.connect_ms)
                self._row("join", news.join_ms)
                if answer := self._entering.get((news.member, news.room)):
                    answer.set(None)
            case msg.MemberFailed():
                self.failures.append(news.reason)
                for (member, _room), answer in self._entering.items():
                    if member == news.member:
                        answer.set_exception(NotJoined(news.reason))
            case msg.Tick():
                self._rows("say->ack", news.ack_ms)
                self._rows("deliver", news.deliver_ms)

    # --- phases

    def begin(self, phase: msg.BeginPhase) -> None:
        """Let members speak from the phase's start to its end, with fresh rows in Locust's statistics."""
        before = self._environment.stats
        self._environment.stats = RequestStats(use_response_times_cache=before.use_response_times_cache)
        for name in ("connect", "join"):  # these happen before any phase, and only once
            self._entry(name).extend(before.get(name, ROW_TYPE))
        self.tell(phase)
        self.phase, self.end_ns = phase, phase.end_ns
        began, self._next_phase = self._next_phase, Event()
        began.set()

    def phase_after(self, finished: msg.BeginPhase | None) -> msg.BeginPhase:
        """Blocks until there is a phase other than that one."""
        while self.phase is None or self.phase is finished:
            self._next_phase.wait()
        return self.phase

    def end_now(self) -> None:
        self.end_ns = min(self.end_ns, time.time_ns())

    def await_end(self) -> int:
        """Returns after the phase's end, and what the schedule asked for and could not be sent by then."""
        while (remaining_s := (self.end_ns - time.time_ns()) / 1e9) > 0:
            gevent.sleep(min(remaining_s, 0.1))  # end_now may bring it nearer
        grace_ends = time.monotonic() + LATE_SENDS_GRACE_S
        while any(member.is_behind() for member in self.members) and time.monotonic() < grace_ends:
            gevent.sleep(0.02)
        phase = self.phase
        assert phase is not None
        not_sent = sum(member.count_unsaid(phase) for member in self.members)
        self.tell(msg.EndPhase())
        return not_sent

    # --- Locust's statistics

    def _entry(self, name: str) -> StatsEntry:
        return self._environment.stats.get(name, ROW_TYPE)

    def _row(self, name: str, response_ms: float) -> None:
        self._environment.events.request.fire(  # type: ignore[no-untyped-call]  # Locust's
            request_type=ROW_TYPE,
            name=name,
            response_time=response_ms,
            response_length=0,
            exception=None,
            context={},
        )

    def _rows(self, name: str, counts: dict[int, int]) -> None:
        """Add a second's worth of responses at once, the way Locust merges a worker's report."""
        if not counts:
            return
        stats = self._environment.stats
        batch = StatsEntry(stats, name, ROW_TYPE)
        total = sum(counts.values())
        now = time.time()
        batch.num_requests = total
        batch.total_response_time = sum(ms * count for ms, count in counts.items())
        batch.min_response_time = min(counts)
        batch.max_response_time = max(counts)
        batch.response_times = dict(counts)
        batch.num_reqs_per_sec = {int(now): total}
        batch.last_request_timestamp = now
        self._entry(name).extend(batch)
        stats.total.extend(batch)


# Locust hands a member its Environment and nothing else.
CROWDS: WeakKeyDictionary[Environment, Crowd] = WeakKeyDictionary()
