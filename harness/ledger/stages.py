"""Where the time of a message went, from the moment it was due until its last recipient had heard it.

    due -> sent -> received by a gateway -> read from the backend -> written to the first member -> to the last -> heard
     sending  to_gateway            backend                   waiting                     fan_out        to_member

Several gateways may write a message. The way is that of the gateway that wrote it last, because the last recipient is
most likely there; so the stages of a message add up to its time exactly. What an architecture marks on the way splits
`backend`: a mark names the stage that follows it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from harness.ledger.message_times import NEVER, MessageTimes
from harness.ledger.passages import BACKEND, FAN_OUT, SENDING, TO_GATEWAY, TO_MEMBER, WAITING, Passage, in_order

# A recipient may read a message just before its gateway notes that all are written. More than that is another copy.
BACK_MAX_NS = 1_000_000


# The messages that stand for all: the middle fifth by their time, and the slowest hundredth. The stages of each add up.
TYPICAL = (0.4, 0.6)
SLOW = 0.99
SLOW_MIN = 10  # messages: fewer of the slowest hundredth say nothing


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of the traced messages went, by stage and in ms, until the last recipient had heard them."""

    messages: int  # that were traced
    one_in: int | None = None  # one message in so many was traced; None: an older version did not note it
    forgotten: int = 0  # more would have been, but a gateway keeps no more than its last hundred thousand
    typical_ms: dict[str, float]  # the mean of each stage over the middle fifth of the messages, by their time
    slow_ms: dict[str, float] | None  # over the slowest hundredth; None: these would be fewer than ten messages
    p50_ms: dict[str, float]  # of each stage by itself; these do not add up
    p99_ms: dict[str, float] | None  # None: as for slow_ms
    accepting_p50_ms: float | None  # from a gateway until the backend had accepted the message, beside the way
    typical_of_all_ms: float | None = None  # the time of the typical one of all messages, traced or not
    error_ms: dict[str, float] = {}  # how far off each stage may be, by the hosts' clocks; others are by one clock


class ClockErrors(msgspec.Struct, frozen=True):
    """How far off a stage may be at most, because it begins by one host's clock and ends by another's. In ns."""

    to_or_from_gateway_ns: int = 0  # a Locust worker's clock, and a gateway's
    between_gateways_ns: int = 0

    @classmethod
    def of(cls, workers_ns: Sequence[int], gateways_ns: Sequence[int]) -> ClockErrors:
        """Return the errors, from those of the clocks of workers and gateways by the clock of the run's host."""
        first, second = sorted([*gateways_ns, 0, 0], reverse=True)[:2]
        return cls(max(workers_ns, default=0) + first, first + second if len(gateways_ns) > 1 else 0)

    def of_stage_ms(self, stage: str) -> float:
        """The largest error of this stage, or of what an architecture marks."""
        if stage in (SENDING, WAITING, FAN_OUT):
            return 0.0
        in_ns = self.to_or_from_gateway_ns if stage in (TO_GATEWAY, TO_MEMBER) else self.between_gateways_ns
        return round(in_ns / 1e6, 4)

    @property
    def largest_ns(self) -> int:
        return max(self.to_or_from_gateway_ns, self.between_gateways_ns)


ONE_CLOCK = ClockErrors()


class Way(msgspec.Struct, frozen=True):
    """One traced message. Times are in ns."""

    identity: int
    room: str
    intended_ns: int  # since the phase began
    gateway: int  # the place of the gateway that wrote it last
    total_ns: int
    stages_ns: dict[str, int]  # in their order; they add up to total_ns
    accepting_ns: int | None  # from the gateway until the backend had accepted it, which is beside the way


class _Message(NamedTuple):
    """What the driver noted of one message. Times are in ns since the phase began."""

    identity: int
    room: str
    intended_ns: int
    sent_ns: int
    heard_ns: int  # by the last recipient


def ways_of(
    messages: MessageTimes, start_ns: int, passages: Sequence[Sequence[Passage]], errors: ClockErrors = ONE_CLOCK
) -> list[Way]:
    """Return the way of every traced message that was heard; `passages` are those of each gateway, by place.

    `start_ns` is the beginning of the phase, from which `messages` count. A stage that seems to end before it begins
    is believed as far as the `errors` of the clocks explain it.
    """
    columns = [messages.column(name) for name in ("identity", "room", "intended_ns", "sent_ns", "last_heard_ns")]
    of_message = _by_message(passages)
    found = []
    for identity, room, *since_start_ns in np.stack(columns, axis=1).tolist():
        *_, heard_ns = since_start_ns
        if heard_ns == NEVER or identity not in of_message:
            continue
        message = _Message(identity, messages.rooms[room], *since_start_ns)
        if (way := _way(message, start_ns, of_message[identity], errors)) is not None:
            found.append(way)
    return found


def stages_of(
    found: Sequence[Way], forgotten: int = 0, one_in: int | None = None, errors: ClockErrors = ONE_CLOCK
) -> Stages | None:
    """Sum up the ways of at least one message of `one_in`; gateways have `forgotten` some of others."""
    if not found:
        return None
    names = names_of(found)
    by_time = sorted(found, key=lambda way: way.total_ns)
    begin, end = (round(share * len(by_time)) for share in TYPICAL)
    slow = by_time[round(SLOW * len(by_time)) :]
    has_tail = len(slow) >= SLOW_MIN
    accepting_ns = [way.accepting_ns for way in found if way.accepting_ns is not None]
    return Stages(
        messages=len(found),
        one_in=one_in,
        forgotten=forgotten,
        typical_ms=_means_ms(by_time[begin:end] or by_time, names),
        slow_ms=_means_ms(slow, names) if has_tail else None,
        p50_ms=_percentiles_ms(found, names, 50),
        p99_ms=_percentiles_ms(found, names, 99) if has_tail else None,
        accepting_p50_ms=round(float(np.median(accepting_ns)) / 1e6, 4) if accepting_ns else None,
        error_ms={name: error_ms for name in names if (error_ms := errors.of_stage_ms(name))},
    )


def typical_of_all_ms(messages: MessageTimes) -> float | None:
    """The mean time of the middle fifth of all messages that were heard, as `typical_ms` is of the traced ones."""
    by_time = np.sort(messages.latencies_ns())
    begin, end = (round(share * len(by_time)) for share in TYPICAL)
    return round(float(np.mean(by_time[begin:end])) / 1e6, 4) if end > begin else None


def names_of(found: Sequence[Way]) -> list[str]:
    """The stages of these messages in their order; some messages may lack one that an architecture marks."""
    return in_order(name for way in found for name in way.stages_ns)


def _means_ms(found: Sequence[Way], names: Sequence[str]) -> dict[str, float]:
    return {name: round(float(np.mean(_stage_ns(found, name))) / 1e6, 4) for name in names}


def _percentiles_ms(found: Sequence[Way], names: Sequence[str], percentile: float) -> dict[str, float]:
    return {name: round(float(np.percentile(_stage_ns(found, name), percentile)) / 1e6, 4) for name in names}


def _stage_ns(found: Sequence[Way], name: str) -> list[int]:
    return [way.stages_ns.get(name, 0) for way in found]


def _by_message(passages: Sequence[Sequence[Passage]]) -> dict[int, dict[int, Passage]]:
    """The passages of each message, by the place of the gateway."""
    found: defaultdict[int, dict[int, Passage]] = defaultdict(dict)
    for place, of_gateway in enumerate(passages):
        for passage in of_gateway:
            found[passage.identity][place] = passage
    return found


def _way(message: _Message, start_ns: int, at: dict[int, Passage], errors: ClockErrors) -> Way | None:
    """None if some moment of its way is not known."""
    received = {passage.received_ns: passage for passage in at.values() if passage.received_ns is not None}
    written = {place: passage.written_ns for place, passage in at.items() if passage.written_ns is not None}
    if not received or not written:
        return None
    sender = received[min(received)]
    last = max(written, key=lambda place: written[place])
    there = at[last]
    due_ns, sent_ns, heard_ns = (start_ns + each for each in (message.intended_ns, message.sent_ns, message.heard_ns))
    moments = (due_ns, sent_ns, sender.received_ns, there.read_ns, there.writing_ns, there.written_ns, heard_ns)
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(moments) or min(np.diff(known)) < -(BACK_MAX_NS + errors.largest_ns):
        return None
    received_ns, read_ns = known[2], known[3]
    error_ns = errors.between_gateways_ns  # by another gateway's clock a mark may seem to lie outside
    marks = _marks(at.values(), received_ns - error_ns, read_ns + error_ns)
    names = (SENDING, TO_GATEWAY, BACKEND, *marks, WAITING, FAN_OUT, TO_MEMBER)
    lengths_ns = np.diff([*known[:3], *marks.values(), *known[3:]]).tolist()
    accepted_ns = sender.accepted_ns
    return Way(
        identity=message.identity,
        room=message.room,
        intended_ns=message.intended_ns,
        gateway=last,
        total_ns=heard_ns - due_ns,
        stages_ns=dict(zip(names, lengths_ns, strict=True)),
        accepting_ns=None if accepted_ns is None else accepted_ns - received_ns,
    )


def _marks(passages: Iterable[Passage], from_ns: int, to_ns: int) -> dict[str, int]:
    """What was marked between these moments, each the first time it was, in the order of time."""
    first: dict[str, int] = {}
    for passage in passages:
        for name, moment_ns in passage.marks.items():
            first[name] = min(moment_ns, first.get(name, moment_ns))
    between = {name: moment_ns for name, moment_ns in first.items() if from_ns <= moment_ns <= to_ns}
    return dict(sorted(between.items(), key=lambda item: item[1]))
