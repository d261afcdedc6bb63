"""What one audience said and heard in a phase, and when. The ledger judges it after the phase.

Members of a room on the same gateway usually hear the same messages in the same order, so they share that order: a
chain of steps, one for each delivery, along which each member moves forward. A member that hears something else
branches off. Recording a delivery then costs one comparison, and nothing is judged while the load runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.ledger.reports import RoomReport, StayReport


class Message:
    """One message that a member of this audience said or heard."""

    __slots__ = ("acked_ns", "first_ns", "identity", "index", "intended_ns", "last_ns", "over_ns", "sent_ns", "waits")

    def __init__(self, identity: int, index: int, intended_ns: int) -> None:
        self.identity = identity
        self.index = index  # among the messages of its room that this audience knows
        self.intended_ns = intended_ns
        self.sent_ns: int | None = None  # None: a member of another audience said it
        self.acked_ns: int | None = None
        self.first_ns: int | None = None  # first delivery to any member of this audience
        self.last_ns: int | None = None
        self.waits = False  # said here, and its ack or refusal may still come
        self.over_ns: int | None = None  # it was refused or its sender disconnected: not expected after this moment


class Step:
    """One delivery in an order that members share."""

    __slots__ = ("again", "before", "following", "leap", "leapt_to", "message", "number", "others")

    def __init__(self, message: Message | None, before: Step | None, *, again: bool) -> None:
        self.message = message
        self.before = before
        self.number: int = 0 if before is None else before.number + 1
        self.again = again  # an earlier step of the same path delivered the same message
        self.following: Step | None = None
        self.others: dict[Message, Step] | None = None  # branches other than `following`, by message
        # The messages that a member heard in one read from here, and the step they led to: the next member that hears
        # the same jumps there instead of following each step.
        self.leap: tuple[Message, ...] = ()
        self.leapt_to: Step | None = None


class Stream:
    """The tree of all orders in which a room's members on one gateway have heard its messages."""

    def __init__(self) -> None:
        self._head = Step(None, None, again=False)
        self._latest: dict[Message, Step] = {}

    def before(self, message: Message) -> Step:
        """Return the step that precedes this message, for a member whose first message it is."""
        known = self._latest.get(message)
        if known is None:
            return self._head
        assert known.before is not None
        return known.before

    def branch(self, step: Step, message: Message) -> Step:
        """Return the step from `step` to this message, made if needed, where `following` leads to another message."""
        if step.others is not None and (known := step.others.get(message)) is not None:
            return known
        new = Step(message, step, again=self._is_on_path(step, message))
        if step.following is None:
            step.following = new
        else:
            step.others = step.others or {}
            step.others[message] = new
        self._latest[message] = new
        if new.number > self._head.number:
            self._head = new
        return new

    def _is_on_path(self, step: Step, message: Message) -> bool:
        """Whether the message was delivered at this step or before it on the same path."""
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
        self.timed = timed  # False: the member reads slowly on purpose, so its latency says nothing about the gateway
        self.left_ns: int | None = None
        # From when to when the member read too slowly: a message not heard then may only be unread.
        self.behind_ns: int | None = None if timed else joined_ns
        self.read_on_ns: int | None = None
        self.broken = False  # the member did not leave: its connection broke
        self.cut_off = False  # its connection broke because the gateway cut it off as a slow reader
        self.before: Stay | None = None  # the member's previous stay in this room
        self.asked = False  # the member asked for the messages it had missed since its previous stay
        self.resumed = False  # the gateway agreed to send them
        self.asked_ns = joined_ns  # when the member asked to join again
        self.missing = 0  # how many missed messages are still to come
        self.told = 0  # how many missed messages have come; they are the first that the stay heard
        self._entrance: Step | None = None  # the step before the first one that the stay heard
        self._last: Step | None = None

    def hear(self, messages: tuple[Message, ...]) -> Sequence[Message]:
        """Record deliveries in this order, and return those that were delivered to this member before."""
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
        """Record that the member reads nothing from now until `read_on_ns` is set."""
        self.timed = False
        if self.behind_ns is None or self.read_on_ns is not None:
            self.behind_ns, self.read_on_ns = now_ns, None

    @property
    def heard_until_ns(self) -> int:
        """When the last message it heard was said, or when it joined if it has heard none."""
        if self._last is None or self._last.message is None:
            return self.joined_ns
        return self._last.message.intended_ns

    def path(self) -> tuple[Step, Step] | None:
        """Return (the step before the first, the last step), or None if it heard nothing."""
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
        numbers: dict[tuple[Step, Step] | None, int] = {}  # stays that heard the same share a trail
        places = {stay: place for place, stay in enumerate(self.stays)}
        streams = {stream: number for number, stream in enumerate(self._streams.values())}
        stays = [
            StayReport(
                joined_ns=stay.joined_ns,
                left_ns=stay.left_ns,
                trail=numbers.setdefault(stay.path(), len(numbers)),
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
            intended_ns=[message.intended_ns for message in messages],
            sent_ns=[message.sent_ns for message in messages],
            acked_ns=[message.acked_ns for message in messages],
            first_ns=[message.first_ns for message in messages],
            last_ns=[message.last_ns for message in messages],
            trails=[_trail(path) for path in numbers],
            stays=stays,
            over_ns=[message.over_ns for message in messages],
            waiting=[message.index for message in messages if message.waits],
        )


def _trail(path: tuple[Step, Step] | None) -> list[int]:
    """Return the indices of the messages heard after the first step up to the last, in order."""
    if path is None:
        return []
    entrance, step = path
    indices = []
    while step is not entrance:
        assert step.message is not None
        assert step.before is not None
        indices.append(step.message.index)
        step = step.before
    indices.reverse()
    return indices


class History:
    """Everything that one audience said and heard in one phase of a run."""

    def __init__(self) -> None:
        self._rooms: dict[str, RoomHistory] = {}
        self.said: dict[int, Message] = {}

    def room(self, name: str) -> RoomHistory:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = RoomHistory(name)
        return room

    def enter(self, room: str, gateway: str, now_ns: int, *, timed: bool = True) -> Stay:
        """Begin a member's stay: that gateway has confirmed that the member is in the room."""
        return self.room(room).enter(gateway, now_ns, timed=timed)

    def say(self, identity: int, room: str, intended_ns: int, sent_ns: int) -> Message:
        """Record a message that a member is about to send. Call it before the socket sends: no delivery comes first."""
        message = self.said[identity] = self.room(room).message(identity, intended_ns)
        message.sent_ns = sent_ns
        return message

    def ack(self, message: Message, now_ns: int) -> bool:
        """Record an ack, and return whether it was the first for this message."""
        if message.acked_ns is not None:
            return False
        message.acked_ns = now_ns
        return True

    def report(self) -> list[RoomReport]:
        return [room.report() for room in self._rooms.values()]
