"""The schedule of a member: the moments at which it speaks, drawn in an open loop before the messages are sent."""

from __future__ import annotations

from random import Random
from typing import Protocol

import gevent

from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns
from harness.load.mistakes import number_from

NEVER_NS = 1 << 62
TURNS_SKIPPED_MAX = 100_000  # a member whose activity rejects so many turns in a row stays silent for the phase


class Speaker(Protocol):
    """What a schedule asks of its member."""

    random: Random

    def rate_per_s(self) -> float: ...

    def activity(self, elapsed_s: float) -> float: ...


class Phases(Protocol):
    """What a schedule asks about the phases of the test."""

    end_ns: int  # of the current phase

    def phase_after(self, finished: msg.BeginPhase | None) -> msg.BeginPhase: ...


class Schedule:
    """The turns of one member in the current phase."""

    def __init__(self, member: Speaker, phases: Phases) -> None:
        self._member = member
        self._phases = phases
        self._phase: msg.BeginPhase | None = None
        self._rate_per_s = 0.0
        self._due_ns = 0
        self.joined_ns = 0  # no turn is earlier
        self.speaks = False  # only a member that has called `say` can be late

    def most_active_rate_per_s(self) -> float:
        """Return the member's `rate_per_s()`; raises ScenarioMistake if that is not a number of 0 or more."""
        member = self._member
        return number_from(member.rate_per_s(), f"{type(member).__name__}.rate_per_s()", member.rate_per_s, 0)

    def await_turn(self) -> int:
        """Block until the member's next turn, and return the moment that was drawn for it."""
        while True:
            if self._phase is None or self._due_ns >= self._phases.end_ns:
                self._start(self._phases.phase_after(self._phase))
                continue
            wait_ns = self._due_ns - time_ns()
            if wait_ns > 0:
                gevent.sleep(wait_ns / 1e9)
                continue  # the timer may be early, and the phase may have been cut short
            due_ns = self._due_ns
            self._draw_next()
            return due_ns

    def _start(self, phase: msg.BeginPhase) -> None:
        self._phase = phase
        self._rate_per_s = self.most_active_rate_per_s() * phase.rate_scale
        # Not from the present time: if the driver gets here late, the lateness must count.
        self._due_ns = max(phase.start_ns, self.joined_ns)
        self._draw_next()

    def _draw_next(self) -> None:
        """Draw the next moment of a Poisson process whose rate follows `activity`, by thinning one of the full rate.

        Source: Lewis and Shedler, Simulation of nonhomogeneous Poisson processes by thinning, 1979.
        """
        phase, member = self._phase, self._member
        assert phase is not None
        if self._rate_per_s > 0:
            what = f"{type(member).__name__}.activity()"
            for _ in range(TURNS_SKIPPED_MAX):
                self._due_ns += round(member.random.expovariate(self._rate_per_s) * 1e9)
                if self._due_ns >= self._phases.end_ns:
                    return
                active = member.activity((self._due_ns - phase.start_ns) / 1e9)
                if member.random.random() < number_from(active, what, member.activity, 0, 1):
                    return
        self._due_ns = NEVER_NS

    def is_behind(self) -> bool:
        """Whether a message that is due before the end of the phase has not been sent yet."""
        return self.speaks and self._phase is not None and self._due_ns < self._phases.end_ns

    def count_unsaid(self, phase: msg.BeginPhase) -> int:
        """End the phase's schedule, and return how many of its messages were not sent."""
        if not self.speaks:
            return 0
        if self._phase is not phase:
            self._start(phase)
        unsaid = 0
        while self._due_ns < self._phases.end_ns:
            unsaid += 1
            self._draw_next()
        return unsaid
