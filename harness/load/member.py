"""What a locustfile uses: a Locust user that is a member of chat rooms, and the base of a shape over their number.

    from locust import task
    from harness.load.member import Member

    class Viewer(Member):
        def on_start(self):
            self.join("stage")

        @task
        def talk(self):
            self.say(self.text())

`say` waits for the member's next turn in an open-loop schedule (Poisson arrivals) and sends then. Latency counts
from that intended moment, so a slow driver or gateway cannot make the load thinner and itself look faster.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

import gevent
import locust
from gevent.pool import Group
from locust import LoadTestShape, User, constant
from locust.env import Environment
from locust.exception import StopUser

from architectures.interface import Option
from harness.load import messages as msg
from harness.load import standalone
from harness.load.clock import time_ns
from harness.load.coordinator import COORDINATORS
from harness.load.crowd import CROWDS, NotJoined
from harness.load.history import message_id
from harness.load.payload import draw_bytes

NEVER_NS = 1 << 62
TURNS_SKIPPED_MAX = 100_000  # who has been so inactive for so long stays silent


class Member(User):
    """A member with a socket of its own. Subclass it in a locustfile."""

    abstract = True
    wait_time = constant(0)  # `say` paces; a locustfile may set a wait_time of its own on top

    # The scenario's own options, and what they are where the user does not say so with `--set NAME=VALUE`.
    options: ClassVar[dict[str, Option]] = {}
    # What those that are numbers must lie between, where not any number will do.
    option_ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    # Whether one who comes back to a room, after a break or a `hang_up`, asks for what was said there meanwhile.
    resumes: ClassVar[bool] = False

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._crowd = CROWDS[environment]
        self.load: msg.Load = self._crowd.load
        self.index = self._crowd.admit(self)
        # The same members speak the same way in every run.
        self.random = Random(f"{self.load.seed}/{self.index}/{self._crowd.sequences[self.index]}")
        self._rooms: list[str] = []
        self._phase: msg.BeginPhase | None = None
        self._speaks = False
        self._rate_per_s = 0.0
        self._joined_ns = 0
        self._due_ns = 0

    def start(self, group: Group) -> gevent.Greenlet:
        greenlet: gevent.Greenlet = super().start(group)
        greenlet.link(lambda _ended: self._crowd.release(self.index))
        return greenlet

    # --- what a locustfile may override

    @classmethod
    def rooms_for(cls, members: int) -> int:
        """How many rooms so many members make, where the user does not say."""
        return 1

    def rate_per_s(self) -> float:
        """Messages per second of this member at its most active; 0 for one who only listens."""
        return self.load.rate_per_s / self.load.members

    def activity(self, elapsed_s: float) -> float:
        """From 0 to 1: with how much of its rate the member speaks so long after the beginning of the load."""
        return 1.0

    def read_bytes_per_s(self) -> float | None:
        """How fast the member reads what it is sent; None: as fast as it comes."""
        return None

    # --- what a locustfile calls

    @property
    def room_number(self) -> int:
        """A room for this member, 0 <= n < load.rooms: all rooms alike in size, and each spread over all gateways."""
        return self._place * self.load.rooms // self.load.members

    @property
    def place_in_room(self) -> int:
        """How many members of the same room_number come before this one."""
        return self._place - -(-self.room_number * self.load.members // self.load.rooms)

    @property
    def _place(self) -> int:
        return self.index % self.load.members

    def rate_of_few(self, one_in: int) -> float:
        """This member's messages per second where only one in so many of its room talks, but always at least two."""
        # Two, so that with two gateways somebody talks on each.
        room_size = self.load.members // self.load.rooms
        talkers = min(room_size, max(2, room_size // one_in))
        return self.load.rate_per_s / self.load.rooms / talkers if self.place_in_room < talkers else 0.0

    @property
    def phase_elapsed_s(self) -> float:
        """Since the beginning of the phase, warm-up or measurement; 0 before the first."""
        phase = self._crowd.phase
        return 0.0 if phase is None else (time_ns() - phase.start_ns) / 1e9

    def option(self, name: str) -> float:
        """The value of a scenario's own option that is a number."""
        return float(self.load.options[name])

    def join(self, room: str) -> None:
        """Connect if not connected, and join; returns when the gateway has answered."""
        try:
            self._crowd.enter(self.index, room, self.read_bytes_per_s(), resumes=self.resumes)
        except NotJoined as problem:
            raise StopUser from problem
        self._joined_ns = time_ns()
        self._rooms.append(room)

    def leave(self, room: str) -> None:
        self._rooms.remove(room)
        self._crowd.ask_audience(msg.Exit(member=self.index, room=room))

    def hang_up(self) -> None:
        """Close the connection, and with it leave every room."""
        self._rooms.clear()
        self._crowd.ask_audience(msg.HangUp(member=self.index))

    def say(self, text: str, room: str | None = None) -> None:
        """Wait for the next turn, then send to the room (by default the one joined last). Does not await the ack."""
        self._speaks = True
        intended_ns = self._await_turn()
        sequence = self._crowd.sequences[self.index]
        self._crowd.sequences[self.index] += 1
        self._crowd.ask_audience(
            msg.Speak(
                message_id=message_id(self.index, sequence),
                room=room or self._rooms[-1],
                intended_ns=intended_ns,
                text=text,
            )
        )

    def text(self) -> str:
        """Words to say, of the run's payload size."""
        size = draw_bytes(self.load.payload_sizes, self.random, self.load.payload_bytes)
        start = self.random.randrange(len(self._crowd.babble) - size)
        return self._crowd.babble[start : start + size]

    # --- the schedule

    def _await_turn(self) -> int:
        while True:
            if self._phase is None or self._due_ns >= self._crowd.end_ns:
                self._start_schedule(self._crowd.phase_after(self._phase))
                continue
            wait_ns = self._due_ns - time_ns()
            if wait_ns > 0:
                gevent.sleep(wait_ns / 1e9)
                continue  # the timer may be early, and the phase may have been cut short
            due_ns = self._due_ns
            self._schedule_next()
            return due_ns

    def _start_schedule(self, phase: msg.BeginPhase) -> None:
        self._phase = phase
        self._rate_per_s = self.rate_per_s()
        # Not from now: a driver that gets here late must see that it is late.
        self._due_ns = max(phase.start_ns, self._joined_ns)
        self._schedule_next()

    def _schedule_next(self) -> None:
        """The next moment of a Poisson process whose rate follows `activity`, by thinning one of the full rate.

        Source: Lewis and Shedler, Simulation of nonhomogeneous Poisson processes by thinning, 1979.
        """
        phase = self._phase
        assert phase is not None
        if self._rate_per_s > 0:
            for _ in range(TURNS_SKIPPED_MAX):
                self._due_ns += round(self.random.expovariate(self._rate_per_s) * 1e9)
                if self._due_ns >= self._crowd.end_ns:
                    return
                if self.random.random() < self.activity((self._due_ns - phase.start_ns) / 1e9):
                    return
        self._due_ns = NEVER_NS

    def is_behind(self) -> bool:
        """Whether something due before the end of the phase has not been said yet."""
        return self._speaks and self._phase is not None and self._due_ns < self._crowd.end_ns

    def count_unsaid(self, phase: msg.BeginPhase) -> int:
        """How much of the phase's schedule was not said; ends the schedule."""
        if not self._speaks:
            return 0
        if self._phase is not phase:
            self._start_schedule(phase)
        unsaid = 0
        while self._due_ns < self._crowd.end_ns:
            unsaid += 1
            self._schedule_next()
        return unsaid


class Shape(LoadTestShape):
    """A Locust shape that knows the load. Time counts from the beginning of the load, not from the members' joining."""

    abstract = True
    use_common_options = True  # the number of members is the user's

    @property
    def elapsed_s(self) -> float:
        """Since the beginning of the load."""
        return float(self.get_run_time())  # type: ignore[no-untyped-call]  # Locust's

    @property
    def load(self) -> msg.Load:
        assert self.runner is not None
        return COORDINATORS[self.runner.environment].load

    def option(self, name: str) -> float:
        """As Member.option."""
        return float(self.load.options[name])

    @property
    def last_second(self) -> msg.Second | None:
        """What was measured in the last second that is known, over all members."""
        assert self.runner is not None
        return COORDINATORS[self.runner.environment].last_second


# Importing Member is what makes a file a scenario, so it is also what makes plain `locust -f` work with it.
standalone.install(locust.events)
