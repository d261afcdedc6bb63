"""What one audience said and heard in a phase: only what happened, and when. What it means is the ledger's question.

Members of a room on the same gateway hear the same messages in the same order. So they share that order: a chain of
steps, one for each delivery, on which a member only moves forward. Who hears something else branches off. To note a
delivery is then one comparison, and nothing is judged while the load runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.ledger.reports import RoomReport, StayReport


class Message:
    """One message, as far as this audience said or heard it."""

    __slots__ = ("acked_ns", "first_ns", "identity", "index", "intended_ns", "last_ns", "over_ns", "sent_ns", "waits")

    def __init__(self, identity: int, index: int, intended_ns: int) -> None:
        self.identity = identity
        self.index = index  # among the messages of its room that this audience knows
        self.intended_ns = intended_ns
        self.sent_ns: int | None = None  # None: a member of another audience said it
        self.acked_ns: int | None = None
        self.first_ns: int | None = None  # first delivery to anybody here
        self.last_ns: int | None = None
        self.waits = False  # said here, and an answer may still come
        self.over_ns: int | None = None  # since when nobody who has not got it will, as it was refused


class Step:
    """One delivery in an order that members share."""

    __slots__ = ("again", "before", "following", "leap", "leapt_to", "message", "number", "others")

    def __init__(self, message: Message | None, before: Step | None, *, again: bool) -> None:
        self.message = message
        self.before = before
        self.number: int = 0 if before is None else before.number + 1
        self.again = again  # the same message was delivered on this way before
        self.following: Step | None = None
        self.others: dict[Message, Step] | None = None  # where members have parted ways
        # What somebody heard at once from here on, and where it led: the next member need not go stepwise.
        self.leap: tuple[Message, ...] = ()
        self.leapt_to: Step | None = None


class Stream:
    """What a room's members on one gateway have heard, in every order in which some of them heard it."""

    def __init__(self) -> None:
        self._head = Step(None, None, again=False)
        self._latest: dict[Message, Step] = {}

    def before(self, message: Message) -> Step:
        """Where somebody stands who hears this message first of all."""
        known = self._latest.get(message)
        if known is None:
            return self._head
        assert known.before is not None
        return known.before

    def branch(self, step: Step, message: Message) -> Step:
        """The step to this message, which is not the one most often taken from there."""
        if step.others is not None and (known := step.others.get(message)) is not None:
            return known
        new = Step(message, step, again=self._on_the_way_to(step, message))
        if step.following is None:
            step.following = new
        else:
            step.others = step.others or {}
            step.others[message] = new
        self._latest[message] = new
        if new.number > self._head.number:
            self._head = new
        return new

    def _on_the_way_to(self, step: Step, message: Message) -> bool:
        known = self._latest.get(message)
        if known is None:
            return False
        while step.number > known.number:
            assert step.before is not None
            step = step.before
        return step is known


class Stay:
    """One member in one room, from join to leave."""

    __slots__ = (
        *("_entrance", "_last", "before", "broken", "joined_ns", "left_ns", "stream", "timed"),
        *("asked", "asked_ns", "behind_ns", "cut_off", "missing", "read_on_ns", "resumed", "told"),
    )

    def __init__(self, stream: Stream, joined_ns: int, *, timed: bool) -> None:
        self.stream = stream
        self.joined_ns = joined_ns
        self.timed = timed  # False: it reads slowly on purpose, so when it hears says nothing about the gateway
        self.left_ns: int | None = None
        # Since when it reads too slowly, so that it may have not read yet what it has not heard; and until when.
        self.behind_ns: int | None = None if timed else joined_ns
        self.read_on_ns: int | None = None
        self.broken = False  # it did not leave: its connection broke
        self.cut_off = False  # and that because the gateway found that it reads too slowly
        self.before: Stay | None = None  # the member's last one in this room
        self.asked = False  # for what it missed since then
        self.resumed = False  # and is told
        self.asked_ns = joined_ns  # when it asked to be let in again
        self.missing = 0  # how much of that is still to come
        self.told = 0  # and how much has: the first that it heard
        self._entrance: Step | None = None  # the step before the first
        self._last: Step | None = None

    def hear(self, messages: tuple[Message, ...]) -> Sequence[Message]:
        """Note deliveries in this order; returns those that were delivered to this member before."""
        start = self._last
        if start is None:
            start = self._entrance = self.stream.before(messages[0])
        elif start.leap is messages:
            self._last = start.leapt_to
            return ()
        step = start
        again: list[Message] = []
        for message in messages:
            following = step.following
            if following is None or following.message is not message:
                following = self.stream.branch(step, message)
            step = following
            if step.again:
                again.append(message)
        self._last = step
        if not again:
            start.leap, start.leapt_to = messages, step
        return again

    def read_nothing(self, now_ns: int) -> None:
        """From now on, until it reads on."""
        self.timed = False
        if self.behind_ns is None or self.read_on_ns is not None:
            self.behind_ns, self.read_on_ns = now_ns, None

    @property
    def heard_until_ns(self) -> int:
        """When what it heard last was said; without any, when it came."""
        if self._last is None or self._last.message is None:
            return self.joined_ns
        return self._last.message.intended_ns

    def way(self) -> tuple[Step, Step] | None:
        """(the step before the first, the last step), or None if it heard nothing."""
        return None if self._entrance is None or self._last is None else (self._entrance, self._last)


class RoomHistory:
    """The messages of a room, and every stay of a member in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: dict[int, Message] = {}
        self.stays: list[Stay] = []
        self._streams: dict[str, Stream] = {}

    def message(self, identity: int, intended_ns: int) -> Message:
        message = self.messages.get(identity)
        if message is None:
            message = self.messages[identity] = Message(identity, len(self.messages), intended_ns)
        return message

    def enter(self, gateway: str, now_ns: int, *, timed: bool) -> Stay:
        stream = self._streams.get(gateway)
        if stream is None:
            stream = self._streams[gateway] = Stream()
        stay = Stay(stream, now_ns, timed=timed)
        self.stays.append(stay)
        return stay

    def report(self) -> RoomReport:
        messages = self.messages.values()
        numbers: dict[tuple[Step, Step] | None, int] = {}  # members who heard the same share a trail
        places = {stay: place for place, stay in enumerate(self.stays)}
        streams = {stream: number for number, stream in enumerate(self._streams.values())}
        stays = [
            StayReport(
                joined_ns=stay.joined_ns,
                left_ns=stay.left_ns,
                trail=numbers.setdefault(stay.way(), len(numbers)),
                stream=streams[stay.stream],
                before=None if stay.before is None else places[stay.before],
                behind_ns=stay.behind_ns,
                read_on_ns=stay.read_on_ns,
                broken=stay.broken,
                cut_off=stay.cut_off,
                asked=stay.asked,
                resumed=stay.resumed,
                told=stay.told,
            )
            for stay in self.stays
        ]
        return RoomReport(
            room=self.name,
            identities=[message.identity for message in messages],
            sent_ns=[message.sent_ns for message in messages],
            acked_ns=[message.acked_ns for message in messages],
            first_ns=[message.first_ns for message in messages],
            last_ns=[message.last_ns for message in messages],
            trails=[_trail(way) for way in numbers],
            stays=stays,
            over_ns=[message.over_ns for message in messages],
            waiting=[message.index for message in messages if message.waits],
        )


def _trail(way: tuple[Step, Step] | None) -> list[int]:
    """The messages heard from the one step to the other, by index."""
    if way is None:
        return []
    entrance, step = way
    indices = []
    while step is not entrance:
        assert step.message is not None
        assert step.before is not None
        indices.append(step.message.index)
        step = step.before
    indices.reverse()
    return indices


class History:
    """All that one audience said and heard in one phase of a run."""

    def __init__(self) -> None:
        self._rooms: dict[str, RoomHistory] = {}
        self.said: dict[int, Message] = {}

    def room(self, name: str) -> RoomHistory:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = RoomHistory(name)
        return room

    def enter(self, room: str, gateway: str, now_ns: int, *, timed: bool = True) -> Stay:
        """A member has been told by that gateway that it is in the room."""
        return self.room(room).enter(gateway, now_ns, timed=timed)

    def say(self, identity: int, room: str, intended_ns: int, sent_ns: int) -> Message:
        """A member is about to send; call it before the socket does, so that no delivery can come first."""
        message = self.said[identity] = self.room(room).message(identity, intended_ns)
        message.sent_ns = sent_ns
        return message

    def ack(self, message: Message, now_ns: int) -> bool:
        """Note an ack; returns whether it was the first of this message."""
        if message.acked_ns is not None:
            return False
        message.acked_ns = now_ns
        return True

    def report(self) -> list[RoomReport]:
        return [room.report() for room in self._rooms.values()]
