"""The classes that a locustfile uses: Member, a Locust user that chats in rooms, and Shape, the base of load shapes.

    from locust import task
    from chatbench.locust import Member

    class Viewer(Member):
        def on_start(self):
            self.join("stage")

        @task
        def talk(self):
            self.say(self.text())

`say` waits for the member's next turn in an open-loop schedule (Poisson arrivals) and then sends. Latency counts from
that intended moment, so a slow driver or gateway cannot reduce the load and thereby look faster.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

import gevent
from gevent.pool import Group
from locust import LoadTestShape, User
from locust.env import Environment
from locust.exception import StopUser

from architectures.interface import Option
from harness.core.payload import draw_bytes
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns
from harness.ledger.reports import message_id
from harness.load.coordinator import COORDINATORS
from harness.load.member_pool import MEMBER_POOLS, NotJoined
from harness.load.mistakes import ScenarioMistake, number_from, room_name, text_to_say


class Member(User):
    """A member with a socket of its own. Subclass it in a locustfile."""

    abstract = True
    # The scenario's own options with their defaults, which the user changes with `--set NAME=VALUE`.
    options: ClassVar[dict[str, Option]] = {}
    # The (lowest, highest) values allowed for options that are numbers. Options without a range take any number.
    option_ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    # Names of options, in seconds, whose sum is how long a run must last to show all that the scenario does.
    # `chatbench compare` measures so long unless --duration says otherwise.
    cycle: ClassVar[tuple[str, ...]] = ()
    # Whether a member that returns to a room, after a break or a `hang_up`, asks for the messages it missed.
    resumes: ClassVar[bool] = False
    # The kinds of message that members of this class send. The record has the results of each; see `say`.
    kinds: ClassVar[tuple[str, ...]] = ("chat",)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._pool = MEMBER_POOLS[environment]
        self.load: msg.Load = self._pool.load
        self.seat = self._pool.admit(self)
        self.index = self.seat.number
        # Seeded by the member's number, so that each member behaves the same in every run with the same seed.
        self.random = Random(f"{self.load.seed}/{self.index}/{self._pool.sequences[self.index]}")
        self._first_kind = self._pool.first_kinds[type(self).__name__]
        self._schedule = self._pool.schedules[self.index]
        self._rooms: list[str] = []

    def start(self, group: Group) -> gevent.Greenlet:
        greenlet: gevent.Greenlet = super().start(group)
        greenlet.link(lambda _ended: self._pool.release(self))
        return greenlet

    # --- what a locustfile may override

    @classmethod
    def rooms_for(cls, members: int) -> int:
        """Return the number of rooms, 1 to `members`, for a run without `--rooms`."""
        return 1

    def rate_per_s(self) -> float:
        """Return this member's messages per second at its most active, or 0 if it only listens.

        Only its proportion to other members' rates matters: all rates are scaled so that their sum is the run's rate.
        """
        return self._class_rate_per_s / self.class_members

    def wait_time(self) -> float:
        """Return the seconds between two tasks: 0, because `say` waits. A locustfile may add a wait_time of its own."""
        self._pool.watch.note_task(self)
        return 0.0

    def activity(self, elapsed_s: float) -> float:
        """Return the share of its rate, 0 to 1, at which the member speaks `elapsed_s` seconds after the load began."""
        return 1.0

    def read_bytes_per_s(self) -> float | None:
        """Return how fast the member reads, in bytes per second, 1 or more; None means as fast as data arrives."""
        return None

    # --- what a locustfile calls

    @property
    def class_members(self) -> int:
        """The number of members of this member's class once all have been spawned."""
        return max(1, self._pool.classes[type(self).__name__].members)

    @property
    def room_number(self) -> int:
        """The number of a room for this member, 0 <= n < load.rooms.

        Each class is spread evenly over the rooms, so that all rooms have about the same size and each room's members
        are spread over all gateways.
        """
        return self._place * self.load.rooms // self.class_members

    @property
    def place_in_room(self) -> int:
        """How many members of the same class and the same room_number come before this one."""
        return self._place - -(-self.room_number * self.class_members // self.load.rooms)

    @property
    def _place(self) -> int:
        return self.seat.place % self.class_members

    @property
    def _class_rate_per_s(self) -> float:
        """The class's messages per second: its share of the run's rate is its share of the members."""
        planned = sum(plan.members for plan in self._pool.classes.values())
        return self.load.rate_per_s * self.class_members / planned

    def rate_of_few(self, one_in: int) -> float:
        """Return this member's rate if one in `one_in` members of its class talks in each room, at least two members.

        Members that do not talk get 0. The unit is messages per second, as for `rate_per_s`.
        """
        # Two, so that with two gateways a member talks on each. A class may have fewer members than there are rooms.
        rooms = min(self.load.rooms, self.class_members)
        room_size = self.class_members // rooms
        talkers = min(room_size, max(2, room_size // one_in))
        return self._class_rate_per_s / rooms / talkers if self.place_in_room < talkers else 0.0

    @property
    def phase_name(self) -> str | None:
        """The current phase, `warm-up` or `measure`; None before the first phase."""
        phase = self._pool.phase
        return None if phase is None else phase.name

    @property
    def phase_elapsed_s(self) -> float:
        """Seconds since the current phase, warm-up or measurement, began; 0 before the first phase."""
        phase = self._pool.phase
        return 0.0 if phase is None else (time_ns() - phase.start_ns) / 1e9

    def option(self, name: str) -> float:
        """Return the value of one of the scenario's own options that is a number."""
        return option_of(self.load, name)

    def join(self, room: str) -> None:
        """Connect if not connected, and join the room; returns when the gateway has confirmed the join."""
        room = room_name(room)
        self._pool.watch.note_join(self)
        try:
            self._pool.enter(self.index, room, self._reading_bytes_per_s(), resumes=bool(self.resumes))
        except NotJoined as problem:
            raise StopUser from problem
        self._schedule.joined_ns = time_ns()
        self._rooms.append(room)

    def _reading_bytes_per_s(self) -> float | None:
        bytes_per_s = self.read_bytes_per_s()
        if bytes_per_s is None:
            return None
        return number_from(bytes_per_s, f"{type(self).__name__}.read_bytes_per_s()", self.read_bytes_per_s, 1)

    def leave(self, room: str) -> None:
        """Leave the room; the connection remains."""
        self._pool.watch.note_request(self)
        self._check_joined(room)
        self._rooms.remove(room)
        self._pool.ask_audience(msg.Exit(member=self.index, room=room))

    def hang_up(self) -> None:
        """Leave every room and close the connection."""
        self._pool.watch.note_request(self)
        self._rooms.clear()
        self._pool.ask_audience(msg.HangUp(member=self.index))

    def say(self, text: str, room: str | None = None, kind: str | None = None) -> None:
        """Wait for the next turn, then send to the room (by default the one joined last). Does not wait for the ack.

        `kind` is one of the class's `kinds`, by default the first; the record has the results of each kind.
        """
        self._schedule.speaks = self._pool.speaks = True
        text = text_to_say(text)
        if room is not None:
            self._check_joined(room)
        elif not self._rooms:
            raise ScenarioMistake(
                f"{type(self).__name__} called self.say before it joined a room; call self.join first"
            )
        kind_number = self._kind_number(kind)
        self._pool.watch.note_request(self)
        intended_ns = self._schedule.await_turn()
        sequence = self._pool.sequences[self.index]
        self._pool.sequences[self.index] += 1
        self._pool.ask_audience(
            msg.Speak(
                message_id=message_id(self.index, sequence, kind_number),
                room=self._rooms[-1] if room is None else room,
                intended_ns=intended_ns,
                text=text,
            )
        )

    def _kind_number(self, kind: str | None) -> int:
        if kind is None:
            return self._first_kind
        if kind not in self.kinds:
            raise ScenarioMistake(
                f"{type(self).__name__} has no kind of message called {kind!r:.60}; its `kinds` are {self.kinds}"
            )
        return self._first_kind + self.kinds.index(kind)

    def _check_joined(self, room: str) -> None:
        if room not in self._rooms:
            rooms = ", ".join(map(repr, self._rooms)) or "none"
            raise ScenarioMistake(f"{type(self).__name__} is not in room {room!r:.60}; it has joined {rooms}")

    def text(self) -> str:
        """Return random text of the run's payload size."""
        size = draw_bytes(self.load.payload_sizes, self.random, self.load.payload_bytes)
        start = self.random.randrange(len(self._pool.babble) - size)
        return self._pool.babble[start : start + size]


class Shape(LoadTestShape):
    """A Locust shape that knows the load. Time counts from the start of the load, not from the members' joins."""

    abstract = True
    use_common_options = True  # the user still chooses the number of members

    @property
    def elapsed_s(self) -> float:
        """Seconds since the load began."""
        return float(self.get_run_time())  # type: ignore[no-untyped-call]  # Locust's

    @property
    def load(self) -> msg.Load:
        assert self.runner is not None
        return COORDINATORS[self.runner.environment].load

    def option(self, name: str) -> float:
        """Return the value of one of the scenario's own options that is a number."""
        return option_of(self.load, name)

    @property
    def last_second(self) -> msg.Second | None:
        """The measurements of the last complete second over all members; None before the first."""
        assert self.runner is not None
        return COORDINATORS[self.runner.environment].last_second


def option_of(load: msg.Load, name: str) -> float:
    """Return the value of a scenario's own option that is a number; raises ScenarioMistake."""
    if name not in load.options:
        known = ", ".join(load.options) or "none"
        raise ScenarioMistake(f"the scenario has no option {name!r:.60}; its classes' `options` have {known}")
    try:
        return float(load.options[name])
    except ValueError as problem:
        raise ScenarioMistake(f"option({name!r}) is {load.options[name]!r}, which is not a number") from problem
