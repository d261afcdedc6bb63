"""The verdict on a phase: which deliveries were expected, and which were made, lost, duplicated or reordered.

`judge` is a pure function of the audiences' reports. The verdict is the same whether one audience or several held the
members.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from harness.ledger.reports import SEQUENCE_BITS, UNDER_WAY_NS, RoomReport, StayReport
from harness.ledger.trail import Integers, Trail

NEVER_NS = np.iinfo(np.int64).max
# A room is silent at a gateway if, given the share of messages missing there before, so many missing in a row would
# have at most this probability. Messages of the last ten seconds may still be waiting there; older ones are lost.
CHANCE_MAX = 1e-9
MAY_WAIT_NS = 10_000_000_000


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the messages of a phase, counted per message and, from `expected` on, per delivery."""

    sent: int = 0
    acked: int = 0
    expected: int = 0  # deliveries to members who were in the room from before the message until after it settled
    delivered: int = 0  # of the expected
    lost: int = 0  # of the expected
    lost_acked: int = 0  # of the lost: the gateway had acked the message
    # Of lost_acked: the message was on its way to a member when the connection broke, and no gateway can recall it.
    lost_in_break: int = 0
    # Of the expected, but not of the lost: the delivery may still come, because the sender has no answer yet or because
    # nothing reaches the room at that gateway any more.
    not_drained: int = 0
    duplicated: int = 0  # deliveries beyond the first, while a member stays
    came_again: int = 0  # stays of members who had been in the room before: they came back, or the room moved
    duplicated_on_return: int = 0  # deliveries that such a member had heard before, and did not ask for
    reordered: int = 0  # first deliveries that came after a later message of the same sender
    # The message was in flight while the member joined or left, or unread by a member that reads too slowly. No count
    # above includes it.
    neither: int = 0
    strays: int = 0  # deliveries of messages that no member sent in that room
    # Returns of members who asked for what they had missed. If the gateway sends it, all of it is expected.
    returns: int = 0
    away: int = 0  # messages sent between two stays of such a member
    missed: int = 0  # messages sent while the member was away that it never received
    # History that the member had heard before, or that was sent before it first joined. A member cannot know how far
    # the backend's clock is off, so it asks for a little more than it missed.
    repeated: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return Verdict(**{name: mine[name] + theirs[name] for name in mine})

    def __mul__(self, times: int) -> Verdict:
        return Verdict(**{name: times * count for name, count in msgspec.structs.asdict(self).items()})


def _no_messages() -> Integers:
    return np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class RoomFates:
    """What happened to each message of a room, in the order of sending. All arrays have one element per message."""

    sent_ns: Integers
    first_ns: Integers  # the first and the last delivery to any member; NEVER_NS and -1 if there was none
    last_ns: Integers
    lost: Integers  # number of expected deliveries that did not come
    delivered: int = 0  # expected deliveries that came, of all messages together
    # Pairs of a share of the expected deliveries, and the number of members that got exactly this share.
    heard_shares: tuple[tuple[float, int], ...] = ()
    identities: Integers = field(default_factory=_no_messages)
    acked: Integers = field(default_factory=_no_messages)  # 1 if the message was acked, else 0
    got: Integers = field(default_factory=_no_messages)  # number of expected deliveries that came
    surely_lost: Integers = field(default_factory=_no_messages)  # `lost` without deliveries that may still come
    room: str = ""
    intended_ns: Integers = field(default_factory=_no_messages)
    acked_ns: Integers = field(default_factory=_no_messages)  # NEVER_NS if it was not acked
    heard_by: Integers = field(default_factory=_no_messages)  # number of members that heard it, expected or not


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a phase, and the fates of its messages, room by room."""

    verdict: Verdict
    fates: list[RoomFates]

    @property
    def spread_ns(self) -> list[int]:
        """For each message that was delivered, the time from its first to its last recipient."""
        return [spread for room in self.fates for spread in (room.last_ns - room.first_ns)[room.last_ns >= 0].tolist()]


def judge(reports: Sequence[RoomReport]) -> Judgement:
    """Judge all rooms of a phase. Several reports may be about one room, each with its own members and messages."""
    rooms: defaultdict[str, list[RoomReport]] = defaultdict(list)
    for report in reports:
        rooms[report.room].append(report)
    judged = [_Room(name, parts).judge() for name, parts in rooms.items()]
    return Judgement(sum((verdict for verdict, _ in judged), Verdict()), [fates for _, fates in judged])


class _Room:
    """One room, with the messages of all audiences in the order of sending."""

    def __init__(self, name: str, parts: Sequence[RoomReport]) -> None:
        self._name = name
        self._parts = parts
        messages = sorted(
            (sent_ns, identity, acked_ns or NEVER_NS, intended_ns)
            for part in parts
            for sent_ns, identity, acked_ns, intended_ns in zip(
                part.sent_ns, part.identities, part.acked_ns, part.intended_ns, strict=True
            )
            if sent_ns is not None
        )
        self._sent_ns, self._identities, self._acked_ns, self._intended_ns = (
            np.array(messages, dtype=np.int64).reshape(-1, 4).T
        )
        self._index = {identity: index for index, (_, identity, _, _) in enumerate(messages)}
        self._first_ns = np.full(len(messages), NEVER_NS)
        self._last_ns = np.full(len(messages), -1)
        self._senders = self._identities >> SEQUENCE_BITS
        self._is_waiting = np.zeros(len(messages), dtype=bool)
        self._over_ns = np.full(len(messages), NEVER_NS)
        for part in parts:
            moments = zip(part.identities, part.first_ns, part.last_ns, part.over_ns, strict=True)
            for identity, first_ns, last_ns, over_ns in moments:
                if (index := self._index.get(identity)) is None:
                    continue
                if first_ns is not None and last_ns is not None:
                    self._first_ns[index] = min(self._first_ns[index], first_ns)
                    self._last_ns[index] = max(self._last_ns[index], last_ns)
                if over_ns is not None:
                    self._over_ns[index] = over_ns

    def judge(self) -> tuple[Verdict, RoomFates]:
        sums = _Sums(len(self._index))
        sums.verdict = Verdict(sent=len(self._index), acked=int((self._acked_ns != NEVER_NS).sum()))
        for part in self._parts:
            self._judge_part(part, sums)
        return sums.verdict, self._fates(sums)

    def _judge_part(self, part: RoomReport, sums: _Sums) -> None:
        """Add what the members of one audience heard."""
        indices = np.array([self._index.get(identity, -1) for identity in part.identities], dtype=np.int64)
        identities = np.array(part.identities, dtype=np.int64)
        trails = [np.array(trail, dtype=np.int64) for trail in part.trails]
        self._is_waiting[indices[part.waiting]] = True
        heard_again = self._heard_before(part.stays, trails, indices)
        np.subtract.at(sums.heard_by, heard_again[heard_again >= 0], 1)  # below, the member counts in each of its stays
        came_again = sum(stay.before is not None for stay in part.stays)
        # These were sent before the stay in which they came again, so _judge_window counts them as `neither`.
        again = len(heard_again)
        sums.verdict += Verdict(came_again=came_again, duplicated_on_return=again, neither=-again)
        trails_heard: dict[tuple[tuple[int, ...], tuple[int, ...], int], Trail] = {}
        for window, count in self._windows(part, [indices[trail] for trail in trails]).items():
            key = (window.trails, window.replayed, window.first if len(window.trails) > 1 else 0)
            if key not in trails_heard:
                stay_trails = [trails[number] for number in window.trails]
                trails_heard[key] = Trail(stay_trails, window.replayed, indices, identities, window.first)
            sums.heard_by[trails_heard[key].indices] += count
            sums.add(*self._judge_window(trails_heard[key], window), window, count)

    def _windows(self, part: RoomReport, trails: Sequence[Integers]) -> Counter[_Window]:
        """Count the stays with each window: most equal others with the same trail, so each is judged once."""
        silent_from = self._silent_from(part, trails)
        continued = {stay.before for stay in part.stays if stay.resumed}
        return Counter(
            self._window(stay, part.stays, silent_from)
            for number, stay in enumerate(part.stays)
            if number not in continued
        )

    def _fates(self, sums: _Sums) -> RoomFates:
        return RoomFates(
            sent_ns=self._sent_ns,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            lost=sums.owed,
            delivered=sums.verdict.delivered,
            heard_shares=tuple(sorted(sums.shares.items())),
            identities=self._identities,
            acked=(self._acked_ns != NEVER_NS).astype(np.int64),
            got=sums.got,
            surely_lost=sums.lost,
            room=self._name,
            intended_ns=self._intended_ns,
            acked_ns=self._acked_ns,
            heard_by=sums.heard_by,
        )

    def _heard_before(self, stays: Sequence[StayReport], trails: Sequence[Integers], indices: Integers) -> Integers:
        """Return the message of each delivery that the member had heard in an earlier stay, by index; -1 for a stray.

        Trail counts those of resumed stays.
        """
        found = [_no_messages()]
        for stay in stays:
            if stay.before is None or stay.resumed:
                continue
            # Only messages sent before this stay can have been heard before it, and mostly there are none.
            heard = trails[stay.trail][stay.told :]
            early = np.unique(heard[indices[heard] < self._index_at(stay.joined_ns, "left")])
            before: int | None = stay.before
            while len(early) and before is not None:
                known = np.isin(early, trails[stays[before].trail])
                found.append(indices[early[known]])
                early, before = early[~known], stays[before].before
        return np.concatenate(found)

    def _silent_from(self, part: RoomReport, trails: Sequence[Integers]) -> dict[int, int]:
        """For each stream, the index of the first message that may still be waiting for all members who are there."""
        present: defaultdict[int, list[StayReport]] = defaultdict(list)
        for stay in part.stays:
            if stay.left_ns is None and _unread_since(stay) is None:
                present[stay.stream].append(stay)
        return {stream: self._silent_since(stays, trails) for stream, stays in present.items()}

    def _silent_since(self, stays: Sequence[StayReport], trails: Sequence[Integers]) -> int:
        count = len(self._sent_ns)
        heard = np.zeros(count, dtype=bool)
        for trail in {stay.trail for stay in stays}:
            heard[trails[trail][trails[trail] >= 0]] = True
        acked = self._acked_ns != NEVER_NS
        joined = min(self._index_at(stay.joined_ns, "left") for stay in stays)
        last = max(joined, _after_last(heard))
        missing, before = int(acked[last:].sum()), acked[joined:last]
        missed_before = int((before & ~heard[joined:last]).sum())
        if missing * log((missed_before + 1) / (int(before.sum()) + 2)) > log(CHANCE_MAX):
            return count
        return max(last, self._index_at(int(self._sent_ns[-1]) - MAY_WAIT_NS, "left"))

    def _window(self, stay: StayReport, stays: Sequence[StayReport], silent_from: dict[int, int]) -> _Window:
        """Join a stay with the stays that it resumes: a member that got what it missed counts as never away."""
        first_stay, trails, replayed, breaks = stay, [stay.trail], [stay.told], []
        while first_stay.before is not None and first_stay.asked:
            before = stays[first_stay.before]
            breaks.append((self._index_at(before.left_ns, "right"), self._index_at(first_stay.joined_ns, "left")))
            if not first_stay.resumed:
                break
            trails.append(before.trail)
            replayed.append(before.told)
            first_stay = before
        first, end = self._index_at(first_stay.joined_ns, "left"), len(self._sent_ns)
        if stay.left_ns is not None:
            end = max(first, self._index_at(stay.left_ns, "right"))
        return _Window(
            trails=tuple(reversed(trails)),
            replayed=tuple(reversed(replayed)) if len(replayed) > 1 else (0,),
            first=first,
            end=end,
            left_ns=stay.left_ns,
            unread_ns=_unread_since(stay),
            broken=stay.broken,
            away=tuple((at, max(at, until)) for at, until in breaks),
            may_wait_from=silent_from.get(stay.stream, end),
        )

    def _index_at(self, moment_ns: int | None, side: Literal["left", "right"]) -> int:
        """Count the messages sent before that moment ("left"), or up to and including it ("right")."""
        assert moment_ns is not None
        return int(np.searchsorted(self._sent_ns, moment_ns, side=side))

    def _judge_window(self, trail: Trail, window: _Window) -> tuple[Verdict, _Outcome]:
        """Return the verdict on a stay, and the outcome for each message sent during it."""
        seen = np.zeros(len(self._sent_ns), dtype=bool)
        seen[trail.indices] = True
        got = seen[window.first : window.end]
        missed = ~got
        in_flight = np.zeros_like(missed)
        if window.left_ns is not None:
            in_flight |= missed & (self._settled_ns(window.first, window.end) >= window.left_ns)
        if window.unread_ns is not None:  # the gateway discards unread messages when it closes the connection
            in_flight |= missed & self._may_be_unread(window, got, window.unread_ns)
        owed = missed & ~in_flight
        not_drained = np.zeros_like(owed)
        if window.left_ns is None:
            silent = np.arange(window.first, window.end) >= window.may_wait_from
            not_drained = owed & (self._is_waiting[window.first : window.end] | silent)
        lost = owed & ~not_drained
        lost_acked = lost & (self._acked_ns[window.first : window.end] != NEVER_NS)
        in_break = np.zeros_like(lost)
        if window.broken:
            assert window.left_ns is not None
            in_break = lost_acked & self._may_be_unread(window, got, window.left_ns)
        delivered, neither = int(got.sum()), int(in_flight.sum())
        verdict = Verdict(
            expected=delivered + int(owed.sum()),
            delivered=delivered,
            lost=int(lost.sum()),
            lost_acked=int(lost_acked.sum()),
            lost_in_break=int(in_break.sum()),
            not_drained=int(not_drained.sum()),
            duplicated=trail.duplicated,
            duplicated_on_return=trail.on_return,
            reordered=trail.reordered,
            neither=neither + int(seen.sum()) - delivered,
            strays=trail.strays,
            returns=len(window.away),
            away=sum(until - at for at, until in window.away),
            missed=sum(int((~seen[at:until]).sum()) for at, until in window.away),
            repeated=trail.repeated,
        )
        return verdict, _Outcome(got, owed, lost)

    def _may_be_unread(self, window: _Window, got: npt.NDArray[np.bool_], since_ns: int) -> npt.NDArray[np.bool_]:
        """Mark the messages that may have been in the member's connection, which it has not read since `since_ns`.

        Such a message had not settled long before `since_ns`, nor long before the sending of the last message that did
        arrive. No later message of its sender arrived either: members read in order, so that would be a gap.
        """
        settled_ns = self._settled_ns(window.first, window.end)
        since_ns = max(since_ns, self._sent_ns[window.first : window.end][got].max(initial=0))
        places, senders = np.arange(len(got)), self._senders[window.first : window.end]
        _, sender = np.unique(senders, return_inverse=True)
        last_got = np.full(len(got), -1)
        np.maximum.at(last_got, sender[got], places[got])
        return (settled_ns >= since_ns - UNDER_WAY_NS) & (places > last_got[sender])

    def _settled_ns(self, first: int, end: int) -> Integers:
        """When each message was last delivered or answered; NEVER_NS if neither, since it may still be in flight."""
        settled: Integers = self._last_ns[first:end].copy()
        for answered_ns in (self._acked_ns[first:end], self._over_ns[first:end]):
            settled = np.where(answered_ns == NEVER_NS, settled, np.maximum(settled, answered_ns))
        settled[settled < 0] = NEVER_NS
        return settled


class _Outcome(NamedTuple):
    """The outcome of a stay, with one element per message that was sent during it."""

    got: npt.NDArray[np.bool_]  # delivered
    owed: npt.NDArray[np.bool_]  # expected, but not delivered
    lost: npt.NDArray[np.bool_]  # of these, without those that may still come


class _Window(NamedTuple):
    """A stay together with those that it resumes, and the messages sent during it: [first, end) in order of sending."""

    trails: tuple[int, ...]
    replayed: tuple[int, ...]  # how many messages at the beginning of each trail are history
    first: int
    end: int
    left_ns: int | None
    unread_ns: int | None  # since when the member may have read nothing
    broken: bool
    away: tuple[tuple[int, int], ...]  # ranges of messages that were sent between the stays
    may_wait_from: int  # index of the first message that may still come


class _Sums:
    """What has been counted in a room so far: over all stays, and for each message."""

    def __init__(self, messages: int) -> None:
        self.verdict = Verdict()
        self.owed, self.got, self.lost, self.heard_by = np.zeros((4, messages), dtype=np.int64)
        self.shares: Counter[float] = Counter()

    def add(self, verdict: Verdict, outcome: _Outcome, window: _Window, count: int) -> None:
        """Add `count` stays with this window, each with this verdict."""
        self.verdict += verdict * count
        for total, of_stay in ((self.owed, outcome.owed), (self.got, outcome.got), (self.lost, outcome.lost)):
            total[window.first : window.end] += of_stay * count
        if verdict.expected:
            self.shares[round(verdict.delivered / verdict.expected, 4)] += count


def _unread_since(stay: StayReport) -> int | None:
    """Since when the member may not have read its messages until the stay ended; None if it had time to catch up."""
    if stay.cut_off:
        return stay.joined_ns if stay.behind_ns is None else stay.behind_ns
    if stay.read_on_ns is None or (stay.left_ns is not None and stay.left_ns < stay.read_on_ns + UNDER_WAY_NS):
        return stay.behind_ns
    return None


def _after_last(got: npt.NDArray[np.bool_]) -> int:
    """Return the index after the last message that was delivered; 0 if there is none."""
    (places,) = got.nonzero()
    return int(places[-1]) + 1 if len(places) else 0
