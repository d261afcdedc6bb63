"""The ledger: who must get what, and what became of it, judged from what every audience of a run reports.

A pure function of these reports: the verdict is the same whether one audience or several held the members.
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

NEVER_NS = np.iinfo(np.int64).max
# A room is silent at a gateway if so much in a row would be missing by chance no more often than this, going by what
# was missing there before. What was said in the last ten seconds may still wait there; what is older is lost.
CHANCE_MAX = 1e-9
MAY_WAIT_NS = 10_000_000_000
Integers = npt.NDArray[np.int64]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages of a phase, counted per message and, from `expected` on, per member."""

    sent: int = 0
    acked: int = 0
    expected: int = 0  # deliveries owed: to members in the room from before the message until after it settled
    delivered: int = 0  # of the expected
    lost: int = 0  # of the expected
    lost_acked: int = 0  # of the lost: the gateway had acked the message
    # Of the lost and acked: on their way to a member just as its connection broke, which nobody can call back.
    lost_in_break: int = 0
    # Of the expected, but not of the lost: it may still come. Its sender has no answer yet, or nothing reaches the room
    # at that gateway any more.
    not_drained: int = 0
    duplicated: int = 0  # deliveries beyond the first, while a member stays
    came_again: int = 0  # stays of members who had been in that room before: they came back, or the room moved
    duplicated_on_return: int = 0  # deliveries of what such a member had heard before, and did not ask for
    reordered: int = 0  # first deliveries that came after a later message of the same sender
    # In flight while the member joined or left, or not read yet by one who reads too slowly: counted nowhere above.
    neither: int = 0
    strays: int = 0  # deliveries of messages that nobody said in that room
    # Of members who asked, on coming back, for what they missed. Where they are told, all of it is owed to them.
    returns: int = 0
    away: int = 0  # messages said between two stays of such a member
    missed: int = 0  # of these: never heard by that member
    # Told though heard before, or said before they first came: who asks cannot know how far the backend's clock is off.
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
    """What became of each message of a room, in the order they were sent."""

    sent_ns: Integers
    first_ns: Integers  # first and last delivery to anybody; NEVER_NS and -1: there was none
    last_ns: Integers
    lost: Integers  # deliveries that were owed and did not come
    delivered: int = 0  # of the expected, of all messages together
    # (what part of the messages owed to them they got, how many members got just that part)
    heard_shares: tuple[tuple[float, int], ...] = ()
    identities: Integers = field(default_factory=_no_messages)
    acked: Integers = field(default_factory=_no_messages)  # 1 where there was an ack
    got: Integers = field(default_factory=_no_messages)  # deliveries that were owed and came
    surely_lost: Integers = field(default_factory=_no_messages)  # of `lost`: without those that may still come


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    fates: list[RoomFates]

    @property
    def spread_ns(self) -> list[int]:
        """Of each message that anybody heard: from its first to its last recipient."""
        return [spread for room in self.fates for spread in (room.last_ns - room.first_ns)[room.last_ns >= 0].tolist()]


def judge(reports: Sequence[RoomReport]) -> Judgement:
    """What became of everything. Several reports may be of the same room, each with members and messages of its own."""
    rooms: defaultdict[str, list[RoomReport]] = defaultdict(list)
    for report in reports:
        rooms[report.room].append(report)
    judged = [_Room(parts).judge() for parts in rooms.values()]
    return Judgement(sum((verdict for verdict, _ in judged), Verdict()), [fates for _, fates in judged])


class _Room:
    """One room, its messages in the order they were sent, whoever held the members who said them."""

    def __init__(self, parts: Sequence[RoomReport]) -> None:
        self._parts = parts
        said = sorted(
            (sent_ns, identity, acked_ns or NEVER_NS)
            for part in parts
            for sent_ns, identity, acked_ns in zip(part.sent_ns, part.identities, part.acked_ns, strict=True)
            if sent_ns is not None
        )
        self._sent_ns = np.array([sent_ns for sent_ns, _, _ in said], dtype=np.int64)
        self._acked_ns = np.array([acked_ns for _, _, acked_ns in said], dtype=np.int64)
        self._place = {identity: place for place, (_, identity, _) in enumerate(said)}
        self._first_ns = np.full(len(said), NEVER_NS)
        self._last_ns = np.full(len(said), -1)
        self._senders = np.array([identity >> SEQUENCE_BITS for _, identity, _ in said], dtype=np.int64)
        self._waits = np.zeros(len(said), dtype=bool)
        self._over_ns = np.full(len(said), NEVER_NS)
        for part in parts:
            moments = zip(part.identities, part.first_ns, part.last_ns, part.over_ns, strict=True)
            for identity, first_ns, last_ns, over_ns in moments:
                if (place := self._place.get(identity)) is None:
                    continue
                if first_ns is not None and last_ns is not None:
                    self._first_ns[place] = min(self._first_ns[place], first_ns)
                    self._last_ns[place] = max(self._last_ns[place], last_ns)
                if over_ns is not None:
                    self._over_ns[place] = over_ns

    def judge(self) -> tuple[Verdict, RoomFates]:
        verdict = Verdict(sent=len(self._place), acked=int((self._acked_ns != NEVER_NS).sum()))
        owed, got, lost = np.zeros((3, len(self._place)), dtype=np.int64)
        shares: Counter[float] = Counter()
        for part in self._parts:
            continued = {stay.before for stay in part.stays if stay.resumed}
            places = np.array([self._place.get(identity, -1) for identity in part.identities], dtype=np.int64)
            identities = np.array(part.identities, dtype=np.int64)
            trails = [np.array(trail, dtype=np.int64) for trail in part.trails]
            self._waits[places[part.waiting]] = True
            silent_from = self._silent_from(part, [places[trail] for trail in trails])
            again = self._heard_before(part.stays, trails, places)
            came_again = sum(stay.before is not None for stay in part.stays)
            # Said before the stay in which it came again, so _judge takes it for one of `neither`.
            verdict += Verdict(came_again=came_again, duplicated_on_return=again, neither=-again)
            heard: dict[tuple[tuple[int, ...], tuple[int, ...], int], _Trail] = {}
            # Most stays are like others of the same trail.
            whole = (
                self._owed(each, part.stays, silent_from) for at, each in enumerate(part.stays) if at not in continued
            )
            for stay, count in Counter(whole).items():
                alike = (stay.trails, stay.told, stay.first if len(stay.trails) > 1 else 0)
                if alike not in heard:
                    of_stays = [trails[each] for each in stay.trails]
                    heard[alike] = _Trail(of_stays, stay.told, places, identities, stay.first)
                of_one, fate = self._judge(heard[alike], stay)
                verdict += of_one * count
                for of_all, of_stay in ((owed, fate.owed), (got, fate.got), (lost, fate.lost)):
                    of_all[stay.first : stay.end] += of_stay * count
                if of_one.expected:
                    shares[round(of_one.delivered / of_one.expected, 4)] += count
        fates = RoomFates(
            *(self._sent_ns, self._first_ns, self._last_ns, owed, verdict.delivered, tuple(sorted(shares.items()))),
            identities=np.array(list(self._place), dtype=np.int64),
            acked=(self._acked_ns != NEVER_NS).astype(np.int64),
            got=got,
            surely_lost=lost,
        )
        return verdict, fates

    def _heard_before(self, stays: Sequence[StayReport], trails: Sequence[Integers], places: Integers) -> int:
        """How much came that its member had heard in a stay before; of one who was told what it missed, see _Trail."""
        count = 0
        for stay in stays:
            if stay.before is None or stay.resumed:
                continue
            # What was heard before was said before, so mostly there is none to look for.
            heard = trails[stay.trail][stay.told :]
            early = np.unique(heard[places[heard] < self._place_at(stay.joined_ns, "left")])
            before: int | None = stay.before
            while len(early) and before is not None:
                known = np.isin(early, trails[stays[before].trail])
                count += int(known.sum())
                early, before = early[~known], stays[before].before
        return count

    def _silent_from(self, part: RoomReport, trails: Sequence[Integers]) -> dict[int, int]:
        """By stream: the place of the first message since which its members who are there may be waiting for all."""
        there: defaultdict[int, list[StayReport]] = defaultdict(list)
        for stay in part.stays:
            if stay.left_ns is None and _unread_since(stay) is None:
                there[stay.stream].append(stay)
        return {stream: self._silent_since(stays, trails) for stream, stays in there.items()}

    def _silent_since(self, stays: Sequence[StayReport], trails: Sequence[Integers]) -> int:
        count = len(self._sent_ns)
        heard = np.zeros(count, dtype=bool)
        for trail in {stay.trail for stay in stays}:
            heard[trails[trail][trails[trail] >= 0]] = True
        acked = self._acked_ns != NEVER_NS
        came = min(self._place_at(stay.joined_ns, "left") for stay in stays)
        last = max(came, _after_last(heard))
        missing, before = int(acked[last:].sum()), acked[came:last]
        missed_before = int((before & ~heard[came:last]).sum())
        if missing * log((missed_before + 1) / (int(before.sum()) + 2)) > log(CHANCE_MAX):
            return count
        return max(last, self._place_at(int(self._sent_ns[-1]) - MAY_WAIT_NS, "left"))

    def _owed(self, stay: StayReport, stays: Sequence[StayReport], silent_from: dict[int, int]) -> _Owed:
        """With the stays before it that it goes on from: who was told what it missed has never been away."""
        began, trails, told, breaks = stay, [stay.trail], [stay.told], []
        while began.before is not None and began.asked:
            before = stays[began.before]
            breaks.append((self._place_at(before.left_ns, "right"), self._place_at(began.joined_ns, "left")))
            if not began.resumed:
                break
            trails.append(before.trail)
            told.append(before.told)
            began = before
        first, end = self._place_at(began.joined_ns, "left"), len(self._sent_ns)
        if stay.left_ns is not None:
            end = max(first, self._place_at(stay.left_ns, "right"))
        return _Owed(
            trails=tuple(reversed(trails)),
            told=tuple(reversed(told)) if len(told) > 1 else (0,),
            first=first,
            end=end,
            left_ns=stay.left_ns,
            unread_ns=_unread_since(stay),
            broken=stay.broken,
            away=tuple((at, max(at, until)) for at, until in breaks),
            may_wait_from=silent_from.get(stay.stream, end),
        )

    def _place_at(self, moment_ns: int | None, side: Literal["left", "right"]) -> int:
        """How many messages were sent before that moment, or until then."""
        assert moment_ns is not None
        return int(np.searchsorted(self._sent_ns, moment_ns, side=side))

    def _judge(self, trail: _Trail, stay: _Owed) -> tuple[Verdict, _Fate]:
        """The verdict, and what became of each of the messages during the stay."""
        seen = np.zeros(len(self._sent_ns), dtype=bool)
        seen[trail.places] = True
        got = seen[stay.first : stay.end]
        missed = ~got
        in_flight = np.zeros_like(missed)
        if stay.left_ns is not None:
            in_flight |= missed & (self._settled_ns(stay.first, stay.end) >= stay.left_ns)
        if stay.unread_ns is not None:  # and thrown away by the gateway if it closed the connection
            in_flight |= missed & self._may_be_unread(stay, got, stay.unread_ns)
        owed = missed & ~in_flight
        not_drained = np.zeros_like(owed)
        if stay.left_ns is None:
            silent = np.arange(stay.first, stay.end) >= stay.may_wait_from
            not_drained = owed & (self._waits[stay.first : stay.end] | silent)
        lost = owed & ~not_drained
        lost_acked = lost & (self._acked_ns[stay.first : stay.end] != NEVER_NS)
        in_break = np.zeros_like(lost)
        if stay.broken:
            assert stay.left_ns is not None
            in_break = lost_acked & self._may_be_unread(stay, got, stay.left_ns)
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
            returns=len(stay.away),
            away=sum(until - at for at, until in stay.away),
            missed=sum(int((~seen[at:until]).sum()) for at, until in stay.away),
            repeated=trail.repeated,
        )
        return verdict, _Fate(got, owed, lost)

    def _may_be_unread(self, stay: _Owed, got: npt.NDArray[np.bool_], since_ns: int) -> npt.NDArray[np.bool_]:
        """Which of the messages during the stay may have been in its connection, of which nothing is read since then.

        They had not settled long before, nor long before something was said that did arrive, and nothing later of
        the same sender did: what is read is read in its order, so that would be a gap.
        """
        settled_ns = self._settled_ns(stay.first, stay.end)
        since_ns = max(since_ns, self._sent_ns[stay.first : stay.end][got].max(initial=0))
        places, senders = np.arange(len(got)), self._senders[stay.first : stay.end]
        _, sender = np.unique(senders, return_inverse=True)
        last_got = np.full(len(got), -1)
        np.maximum.at(last_got, sender[got], places[got])
        return (settled_ns >= since_ns - UNDER_WAY_NS) & (places > last_got[sender])

    def _settled_ns(self, first: int, end: int) -> Integers:
        """When each was last seen to move; never, if it was not even answered, so may still be under way."""
        settled: Integers = self._last_ns[first:end].copy()
        for answered_ns in (self._acked_ns[first:end], self._over_ns[first:end]):
            settled = np.where(answered_ns == NEVER_NS, settled, np.maximum(settled, answered_ns))
        settled[settled < 0] = NEVER_NS
        return settled


class _Fate(NamedTuple):
    """Of the messages during a stay: which of them came, which did not though they were owed, and which never will."""

    got: npt.NDArray[np.bool_]
    owed: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]


class _Owed(NamedTuple):
    """A stay, and the messages that were sent during it: [first, end) in the order of sending."""

    trails: tuple[int, ...]
    told: tuple[int, ...]  # with so much of the past at the beginning of each
    first: int
    end: int
    left_ns: int | None
    unread_ns: int | None  # since then it may have read nothing
    broken: bool
    away: tuple[tuple[int, int], ...]  # what was sent between it and those before
    may_wait_from: int  # what was sent from there on may still come


def _unread_since(stay: StayReport) -> int | None:
    """Since when it may not have read what came, until its end; None of one who had the time to read on."""
    if stay.cut_off:
        return stay.joined_ns if stay.behind_ns is None else stay.behind_ns
    if stay.read_on_ns is None or (stay.left_ns is not None and stay.left_ns < stay.read_on_ns + UNDER_WAY_NS):
        return stay.behind_ns
    return None


def _after_last(got: npt.NDArray[np.bool_]) -> int:
    """The place after the last one that was got."""
    (places,) = got.nonzero()
    return int(places[-1]) + 1 if len(places) else 0


class _Trail:
    """What some members heard, in their order, stay by stay; `first` is the first message of the first stay.

    With each stay but the first came some of the past, as they had asked for it: that much of it is `told`.
    """

    def __init__(
        self, stays: Sequence[Integers], told: Sequence[int], places: Integers, identities: Integers, first: int
    ) -> None:
        heard, self.repeated, self.on_return = stays[0], 0, 0
        for stay, past in zip(stays[1:], told[1:], strict=True):
            is_past, is_known = np.arange(len(stay)) < past, np.isin(stay, heard)
            before_it_came = is_past & (places[stay] >= 0) & (places[stay] < first)
            self.repeated += int((is_past & is_known | before_it_came).sum())
            self.on_return += int((~is_past & is_known).sum())
            heard = np.concatenate((heard, stay[~is_known & ~before_it_came]))
        known = heard[places[heard] >= 0]
        self.strays = len(heard) - len(known)
        _, at = np.unique(known, return_index=True)
        firsts = known[np.sort(at)]  # first deliveries, in the order they came
        self.duplicated = len(known) - len(firsts)
        self.places = places[firsts]
        # By sender, and for each in the order heard. An id grows with its sender's number first, so the largest id so
        # far is, within a sender, the latest message heard of it.
        heard_ids = identities[firsts]
        by_sender = heard_ids[np.argsort(heard_ids >> SEQUENCE_BITS, kind="stable")]
        self.reordered = int((by_sender < np.maximum.accumulate(by_sender)).sum()) if len(by_sender) else 0
