"""What a locustfile uses: a Locust user that is a member of chat rooms.

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

import time
from random import Random

import gevent
import locust
from locust import User, constant
from locust.env import Environment
from locust.exception import StopUser

from harness.load import messages as msg
from harness.load import standalone
from harness.load.crowd import CROWDS, LoadSettings, NotJoined
from harness.load.ledger import message_id

NEVER_NS = 1 << 62


class Member(User):
    """A member with a socket of its own. Subclass it in a locustfile."""

    abstract = True
    wait_time = constant(0)  # `say` paces; a locustfile may set a wait_time of its own on top

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._crowd = CROWDS[environment]
        self.load: LoadSettings = self._crowd.load
        self.index = self._crowd.admit(self)
        self.random = Random(f"{self.load.seed}/{self.index}")  # the same members speak the same way in every run
        self._rooms: list[str] = []
        self._sequence = 0
        self._phase: msg.BeginPhase | None = None
        self._speaks = False
        self._rate_per_s = 0.0
        self._joined_ns = 0
        self._due_ns = 0

    # --- what a locustfile may override

    @classmethod
    def rooms_for(cls, members: int) -> int:
        """How many rooms so many members make, where the user does not say."""
        return 1

    def rate_per_s(self) -> float:
        """Messages per second of this member; 0 for one who only listens."""
        return self.load.rate_per_s / self.load.members

    # --- what a locustfile calls

    @property
    def room_number(self) -> int:
        """A room for this member, 0 <= n < load.rooms: all rooms alike in size, and each spread over all gateways."""
        return self.index * self.load.rooms // self.load.members

    @property
    def place_in_room(self) -> int:
        """How many members of the same room_number come before this one."""
        return self.index - -(-self.room_number * self.load.members // self.load.rooms)

    def join(self, room: str) -> None:
        """Connect if not connected yet, and join; returns when the gateway has answered."""
        try:
            self._crowd.enter(self.index, room)
        except NotJoined as problem:
            raise StopUser from problem
        self._joined_ns = time.time_ns()
        self._rooms.append(room)

    def leave(self, room: str) -> None:
        self._rooms.remove(room)
        self._crowd.tell(msg.Exit(member=self.index, room=room))

    def say(self, text: str, room: str | None = None) -> None:
        """Wait for the next turn, then send to the room (by default the one joined last). Does not await the ack."""
        self._speaks = True
        intended_ns = self._await_turn()
        self._crowd.tell(
            msg.Speak(
                message_id=message_id(self.index, self._sequence),
                room=room or self._rooms[-1],
                intended_ns=intended_ns,
                text=text,
            )
        )
        self._sequence += 1

    def text(self) -> str:
        """Words to say, of the run's payload size."""
        size = self.load.payload_bytes
        start = self.random.randrange(len(self._crowd.babble) - size)
        return self._crowd.babble[start : start + size]

    # --- the schedule

    def _await_turn(self) -> int:
        while True:
            if self._phase is None or self._due_ns >= self._crowd.end_ns:
                self._start_schedule(self._crowd.phase_after(self._phase))
                continue
            wait_ns = self._due_ns - time.time_ns()
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
        if self._rate_per_s <= 0:
            self._due_ns = NEVER_NS
        else:
            self._due_ns += round(self.random.expovariate(self._rate_per_s) * 1e9)

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


# Importing Member is what makes a file a scenario, so it is also what makes plain `locust -f` work with it.
standalone.install(locust.events)
