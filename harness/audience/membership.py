"""How members join rooms, stay in them and come back: connections, joins, redirects, backoff and stays."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any
from urllib.parse import urlsplit

from websockets.frames import CloseCode

from harness.audience.deliveries import Deliveries, caught_up
from harness.audience.history import Stay
from harness.audience.member_socket import Connect, Joining, MemberSocket, backoff_s
from harness.audience.phase_stats import Phase
from harness.core import protocol as wire
from harness.gateway.settings import FLOOD_REASON
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns

CONNECTING_MAX = 200
CONNECT_TIMEOUT_S = 20.0
REDIRECTS_MAX = 30
REDIRECT_PAUSE_S = 0.05
# Linux has 28,232 client ports for each address; the rest is left for members' second connections and other programs.
MEMBERS_PER_ADDRESS = 20_000
READ_ON_S = 0.05
# A member that asks for missed messages asks for this much more: senders and backends do not share a clock, and
# messages can overtake each other.
OVERLAP_NS = 1_000_000_000


class Membership:
    """Knows which gateways each member is connected to, which rooms it is in, and which rooms it is joining.

    A member has one connection to each gateway that serves one of its rooms: usually one in all, but several with an
    architecture that redirects. `tell` sends a message to the driver, and `spawn` runs work in the background.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        tell: Callable[[msg.FromAudience], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        connect: Connect,
    ) -> None:
        self._deliveries = deliveries
        self._tell = tell
        self._spawn = spawn
        self._connect = connect
        self.urls: list[str] = []  # of all gateways
        self.stopping = False  # True: connections that end are not reported
        self._sockets: dict[tuple[int, str], MemberSocket] = {}  # by member and gateway
        self._joined_at: dict[tuple[int, str], MemberSocket] = {}  # by member and room: the connection it joined over
        self._joining: dict[tuple[int, str], Joining] = {}  # by member and room
        self._last_stays: dict[tuple[int, str], Stay] = {}  # by member and room, in this phase
        self._resuming: set[tuple[int, str]] = set()  # (member, room) pairs that ask for missed messages on return
        self._arrived: set[int] = set()  # members whose first connection was counted
        self._connecting = asyncio.Semaphore(CONNECTING_MAX)
        self._random = Random(0)  # only for backoffs
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # by member, for connecting

    @property
    def sockets(self) -> list[MemberSocket]:
        """All connections that are open now."""
        return list(self._sockets.values())

    @property
    def away(self) -> int:
        """How many (member, room) pairs are without a place that they lost and are trying to get back."""
        return sum(joining.away for joining in self._joining.values())

    def where(self, number: int, room: str) -> MemberSocket | None:
        """Return the connection over which the member is in the room, or None if it is not in it."""
        return self._joined_at.get((number, room))

    # --- phases

    def begin_phase(self) -> None:
        """Begin a stay in the new phase for every member in every room it is in."""
        self._last_stays.clear()
        for joining in self._joining.values():
            joining.before = None
        now_ns = time_ns()
        for member in self._sockets.values():
            for room in member.stays:
                member.stays[room] = self._begin_stay(member, room, now_ns)

    def end_phase(self) -> None:
        """Forget the phase's stays and unanswered messages; members remain in their rooms."""
        for member in self._sockets.values():
            member.stays = dict.fromkeys(member.stays)
            member.waiting.clear()

    def _begin_stay(self, member: MemberSocket, room: str, now_ns: int) -> Stay | None:
        phase = self._deliveries.phase
        if phase is None:
            return None
        stay = phase.history.enter(room, member.url, now_ns, timed=member.read_bytes_per_s is None)
        stay.before = self._last_stays.get((member.number, room))
        self._last_stays[member.number, room] = stay
        return stay

    # --- joining

    async def enter(self, order: msg.Enter) -> None:
        """Connect the member if necessary and send the join; the gateway's answer comes later."""
        key = (order.member, order.room)
        before = self._asks_since(*key)
        if order.resumes:
            self._resuming.add(key)
        self._joining[key] = Joining(time_ns(), order.read_bytes_per_s, before=before)
        await self._request_join(order.member, order.url, order.room)

    async def _request_join(self, number: int, url: str, room: str) -> None:
        """Send the member's join to that gateway, over a new connection if the member has none to it."""
        try:
            member = await self._connected(number, url, self._joining[number, room])
        except Exception as problem:  # noqa: BLE001 - every reason why the member cannot connect is reported
            self._join_failed(number, room, f"{type(problem).__name__}: {problem}")
            return
        member.asked.add(room)
        member.send(wire.Join(room, self._missed_since_ns(self._joining.get((number, room)))))

    def _missed_since_ns(self, joining: Joining | None) -> int | None:
        phase = self._deliveries.phase
        if phase is None or joining is None or joining.before is None:
            return None
        return max(phase.start_ns, joining.before.heard_until_ns - OVERLAP_NS)

    async def _connected(self, number: int, url: str, joining: Joining) -> MemberSocket:
        async with self._one_at_a_time[number]:
            member = self._sockets.get((number, url))
            if member is not None:
                return member
            began_ns = time_ns()
            slowly = joining.read_bytes_per_s
            member = MemberSocket(self._deliveries, self, number, url, read_bytes_per_s=slowly, connect=self._connect)
            async with self._connecting:
                await member.connection.connect(CONNECT_TIMEOUT_S, local_host(url, number), read_bytes_per_s=slowly)
            self._sockets[number, url] = member
            if number not in self._arrived:
                self._arrived.add(number)
                joining.connect_ms = (time_ns() - began_ns) / 1e6
            return member

    def answered(self, member: MemberSocket, frame: wire.Joined | wire.Redirect | wire.Error, now_ns: int) -> None:
        """Handle a gateway's answer to the member's request to join a room."""
        if isinstance(frame, wire.Error):
            self._refused(member, f"{frame.code}: {frame.reason}")
        elif self._sockets.get((member.number, member.url)) is not member:
            return  # the member has hung up in the meantime, and may have sent its join to another gateway
        elif isinstance(frame, wire.Joined):
            self._joined(member, frame.room, frame.missed, now_ns)
        else:
            self._redirected(member, frame.room, frame.url, now_ns)

    def _joined(self, member: MemberSocket, room: str, missed: int | None, now_ns: int) -> None:
        member.asked.discard(room)
        joining = self._joining.pop((member.number, room), None)
        if joining is None:  # the member has left in the meantime
            if room not in member.stays:
                member.send(wire.Leave(room))
            return
        phase = self._deliveries.phase
        if room not in member.stays:  # a second join of the same room begins no second stay
            self._joined_at[member.number, room] = member
            stay = member.stays[room] = self._begin_stay(member, room, now_ns)
            if phase is not None and stay is not None:
                _resume(phase, stay, joining, missed, now_ns)
        if phase is not None:
            phase.note_in(now_ns - joining.asked_ns, away=joining.away, redirected=joining.redirects > 0)
        join_ms = (now_ns - joining.asked_ns) / 1e6
        self._tell(msg.Entered(member=member.number, room=room, connect_ms=joining.connect_ms, join_ms=join_ms))

    def _refused(self, member: MemberSocket, reason: str) -> None:
        """An error frame names no room: treat every pending join as refused, since a repeated join does no harm."""
        asked, member.asked = member.asked, set()
        for room in asked:
            self._join_failed(member.number, room, reason)
        if not asked:
            self._tell(msg.MemberFailed(member=member.number, reason=reason))

    def _redirected(self, member: MemberSocket, room: str, url: str, now_ns: int) -> None:
        """Join at the gateway that serves the room. Nothing is expected at the member until that gateway answers."""
        member.asked.discard(room)
        if self._joined_at.pop((member.number, room), None) is not None:  # it was in the room, and the room has moved
            self._joining[member.number, room] = self._rejoining(member, room, now_ns)
            member.end_stay(room, now_ns)
        joining = self._joining.get((member.number, room))
        if joining is None:  # the member has left in the meantime
            return
        joining.redirects += 1
        if joining.redirects > REDIRECTS_MAX:
            reason = f"{room} was redirected {joining.redirects} times, at last from {member.url} to {url}"
            self._join_failed(member.number, room, reason)
            return
        self._spawn(self._follow(member, url, room, joining.redirects))

    async def _follow(self, member: MemberSocket, url: str, room: str, redirects: int) -> None:
        # Usually the second gateway is the right one. More redirects mean that rooms are moving: give them time.
        await asyncio.sleep(REDIRECT_PAUSE_S * max(0, redirects - 2))
        if (member.number, room) in self._joining:
            await self._request_join(member.number, url, room)
        if not member.stays and not member.asked:
            self._sockets.pop((member.number, member.url), None)
            self._deliveries.no_answer_will_come(member)
            member.connection.close()

    # --- coming back

    def _join_failed(self, number: int, room: str, reason: str) -> None:
        """Let a member that lost its place try again, as a good client does; report any other as failed."""
        joining = self._joining.get((number, room))
        if joining is not None and joining.away:
            self._spawn(self._retry(number, room, joining))
        else:
            self._tell(msg.MemberFailed(member=number, reason=reason))

    async def _retry(self, number: int, room: str, joining: Joining) -> None:
        joining.attempts += 1
        joining.redirects = 0
        await asyncio.sleep(backoff_s(joining.attempts, self._random))
        if self._joining.get((number, room)) is joining:  # else the member has left or hung up in the meantime
            await self._request_join(number, self.urls[(number + joining.attempts) % len(self.urls)], room)

    def _rejoining(self, member: MemberSocket, room: str, now_ns: int) -> Joining:
        return Joining(now_ns, member.read_bytes_per_s, away=True, before=self._asks_since(member.number, room))

    def _asks_since(self, number: int, room: str) -> Stay | None:
        """Return the stay after which the member missed messages that it will ask for; None if it does not ask."""
        return self._last_stays.get((number, room)) if (number, room) in self._resuming else None

    def disconnected(self, member: MemberSocket, why: str, code: int | None) -> None:
        """Handle the end of a connection that the member did not close itself."""
        key = (member.number, member.url)
        if self.stopping or self._sockets.get(key) is not member:  # the member has hung up
            return
        del self._sockets[key]
        if code == CloseCode.POLICY_VIOLATION and FLOOD_REASON in why:
            problem = f"the gateway at {member.url} did not take all that one member sent ({why})"
            self._tell(msg.Flooded(problem=f"{problem}; use more --members, or a lower --rate"))
        self._deliveries.no_answer_will_come(member)
        self._arrived.discard(member.number)
        for room in member.stays:
            self._joining[member.number, room] = self._rejoining(member, room, time_ns())
        rooms = [*member.stays, *member.asked]
        self._break_stays(member, cut_off=code == CloseCode.TRY_AGAIN_LATER)
        if self._deliveries.phase is not None:
            self._deliveries.phase.disconnects += 1
        for room in rooms:
            self._join_failed(member.number, room, why)

    def _break_stays(self, member: MemberSocket, *, cut_off: bool) -> None:
        now_ns = time_ns()
        for room in list(member.stays):
            member.end_stay(room, now_ns, broken=True, cut_off=cut_off)
            del self._joined_at[member.number, room]

    # --- leaving

    def exit(self, order: msg.Exit) -> None:
        """Take the member out of one room. Its connections remain."""
        self._joining.pop((order.member, order.room), None)
        self._resuming.discard((order.member, order.room))
        member = self._joined_at.pop((order.member, order.room), None)
        if member is not None:
            member.end_stay(order.room, time_ns())
            member.send(wire.Leave(order.room))

    def hang_up(self, number: int) -> None:
        """Close all connections of the member. No message is expected at it from now on."""
        for key in [key for key in self._joining if key[0] == number]:
            del self._joining[key]
        now_ns = time_ns()
        for key in [key for key in self._sockets if key[0] == number]:
            member = self._sockets.pop(key)
            for room, stay in member.stays.items():
                del self._joined_at[number, room]
                if stay is not None:
                    stay.left_ns = now_ns
            self._spawn(self._close_later(member, now_ns))
        self._arrived.discard(number)

    async def _close_later(self, member: MemberSocket, left_ns: int) -> None:
        """Close the connection once the member has read what was in flight before it left."""
        await asyncio.sleep(READ_ON_S)
        self._deliveries.no_answer_will_come(member)
        for _ in range(2):  # after a stall, the event loop runs timers before it reads the sockets
            await asyncio.sleep(0)
        for room in list(member.stays):
            member.end_stay(room, left_ns)
        member.connection.close()

    # --- reading slowly

    async def slow_down(self, order: msg.SlowDown) -> None:
        """Make one in `order.one_in` members read nothing for `order.lasts_s` seconds."""
        slow = [member for member in self._sockets.values() if member.number % order.one_in == 0]
        stays = [(member, stay) for member in slow for stay in member.stays.values() if stay is not None]
        for _, stay in stays:
            stay.read_nothing(time_ns())
        for member in slow:
            member.connection.read_nothing()
        await asyncio.sleep(order.lasts_s)
        for member in slow:
            member.connection.read_again()
        for member, stay in stays:
            if stay.left_ns is None and member.read_bytes_per_s is None:  # else it continues as slowly as before
                stay.read_on_ns = time_ns()


def _resume(phase: Phase, stay: Stay, joining: Joining, missed: int | None, now_ns: int) -> None:
    """Record how many missed messages the gateway will send to the member."""
    stay.missing = missed or 0  # also for a member that asked in an earlier phase
    if joining.before is not None:
        stay.asked, stay.asked_ns, stay.resumed = True, joining.asked_ns, missed is not None
        caught_up(phase, stay, 0, now_ns)


def local_host(url: str, number: int) -> str | None:
    """Return the address to connect from, or None for the default: one address has too few ports for all members."""
    if number < MEMBERS_PER_ADDRESS or urlsplit(url).hostname != "127.0.0.1":
        return None
    return f"127.0.0.{2 + number // MEMBERS_PER_ADDRESS}"
