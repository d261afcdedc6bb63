"""What a locustfile does wrong while its members live, found at once: no room joined, nothing said, no waiting."""

from __future__ import annotations

import contextlib
import inspect
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Protocol

import gevent
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING

from harness.load.mistakes import ScenarioMistake, at, is_in, scenario_of, standing_at, told

LOOK_S = 0.5
JOIN_SOON_S = 5.0  # after a member's start, when its on_start is over
ON_START_MAX_S = 45.0
# A class whose tasks end so often, with nothing said or asked, waits for nothing: each member's, or all of them on a
# core that they keep busy. What other programs leave of a core says nothing of the class.
IDLE_TASKS_PER_S = 1_000
IDLE_TASKS_OF_MEMBER_PER_S = 200
BUSY_SHARE = 0.4
HOG_CPU_S = 3.0  # so long may one member's own code run without letting others on
IMPORT_CPU_S = 10.0


class WatchedMember(Protocol):
    """What is asked of a member to see what its class does wrong."""

    @property
    def greenlet(self) -> gevent.Greenlet | None: ...


class ScenarioWatch:
    """Watches the members of one Locust process."""

    def __init__(
        self, environment: Environment, members: Mapping[int, WatchedMember], tell: Callable[[str], None]
    ) -> None:
        self._environment = environment
        self._members = members
        self._tell = tell
        self._strangers: dict[WatchedMember, float | None] = {}  # who has asked for no room yet, and since when it runs
        self._tasks: Counter[type[WatchedMember]] = Counter()  # that ended
        self._asked: Counter[type[WatchedMember]] = Counter()  # what members asked for: rooms, turns to speak
        self._beats = 0
        self._hog: tuple[gevent.Greenlet, int, float] | None = None
        self._looking = gevent.spawn(self._look)
        signal.signal(signal.SIGPROF, self._check_hog)
        signal.setitimer(signal.ITIMER_PROF, 1.0, 1.0)  # of CPU time

    def close(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._looking.kill(block=False)

    # --- what members do

    def expect(self, member: WatchedMember) -> None:
        """It has been spawned, and is to join a room."""
        self._strangers[member] = None

    def note_join(self, member: WatchedMember) -> None:
        self._strangers.pop(member, None)
        self.note_asked(member)

    def note_asked(self, member: WatchedMember) -> None:
        self._asked[type(member)] += 1

    def note_task(self, member: WatchedMember) -> None:
        """One of its tasks has ended."""
        self._tasks[type(member)] += 1

    def forget(self, member: WatchedMember) -> None:
        """It has ended."""
        if member in self._strangers and self._is_on():
            self._say(member, f"{type(member).__name__} ended before it had joined a room")
        self._strangers.pop(member, None)

    # --- what is wrong with it

    def _is_on(self) -> bool:
        runner: Any = self._environment.runner
        return runner.state in (STATE_SPAWNING, STATE_RUNNING)

    def _say(self, member: WatchedMember, problem: str) -> None:
        self._tell(f"the scenario {inspect.getfile(type(member))}: {problem}")

    def _look(self) -> None:
        looked_s, cpu_s = time.monotonic(), time.process_time()
        while True:
            gevent.sleep(LOOK_S)
            self._beats += 1
            now_s, now_cpu_s = time.monotonic(), time.process_time()
            self._check_spawning()
            self._check_strangers(now_s)
            self._check_idle(now_s - looked_s, now_cpu_s - cpu_s)
            looked_s, cpu_s = now_s, now_cpu_s

    def _check_spawning(self) -> None:
        """A member whose own __init__ fails is none yet, and Locust only logs that."""
        runner: Any = self._environment.runner
        spawning = runner.spawning_greenlet
        if spawning is not None and spawning.ready() and not spawning.successful():
            self._tell(told(spawning.exception, scenario_of(self._environment)))

    def _check_strangers(self, now_s: float) -> None:
        for member, since_s in self._strangers.items():
            frame = None if member.greenlet is None else member.greenlet.gr_frame
            if frame is None:  # Locust makes all members before it lets the first one run
                continue
            if since_s is None:
                self._strangers[member] = now_s
                continue
            if now_s - since_s < JOIN_SOON_S:
                continue
            scenario, name = inspect.getfile(type(member)), type(member).__name__
            if not is_in(frame, "on_start", scenario):
                self._say(
                    member,
                    f"{name} has joined no room {JOIN_SOON_S:g} s after its start{standing_at(frame, scenario)}; "
                    "call self.join in on_start",
                )
                return
            if now_s - since_s > ON_START_MAX_S:
                self._say(
                    member,
                    f"{name} is still in on_start {ON_START_MAX_S:g} s after its start, and has joined no room"
                    f"{standing_at(frame, scenario)}; call self.join sooner",
                )
                return

    def _check_idle(self, took_s: float, cpu_s: float) -> None:
        for kind, tasks in self._tasks.items():
            members = sum(type(member) is kind for member in self._members.values())
            often = tasks > IDLE_TASKS_PER_S * took_s
            much = cpu_s > BUSY_SHARE * took_s or tasks > IDLE_TASKS_OF_MEMBER_PER_S * took_s * members
            if not self._asked[kind] and often and much:
                scenario = inspect.getfile(kind)
                user: Any = kind  # whose tasks are Locust's to say
                named: Any = next(iter(user.tasks))
                self._tell(
                    f"the scenario {at(scenario, inspect.getsourcelines(named)[1])} keeps a core busy with nothing: "
                    f"the tasks of {kind.__name__} end {tasks / took_s:,.0f} times a second and say nothing; call "
                    "self.say there, or time.sleep(1) where it only listens"
                )
        self._tasks.clear()
        self._asked.clear()

    def _check_hog(self, _number: int, frame: FrameType | None) -> None:
        """After each second of CPU time, wherever that was spent: a member that never waits lets nobody else on."""
        current = gevent.getcurrent()
        if not any(member.greenlet is current for member in self._members.values()):
            self._hog = None
            return
        cpu_s = time.process_time()
        if self._hog is None or self._hog[:2] != (current, self._beats):
            self._hog = (current, self._beats, cpu_s)
        elif cpu_s - self._hog[2] > HOG_CPU_S:
            self._hog = None
            raise ScenarioMistake(
                f"a member has computed for {HOG_CPU_S:g} s without waiting, and lets no other on; "
                "call self.say or time.sleep in its loop"
            )


@contextlib.contextmanager
def not_for_ever() -> Iterator[None]:
    """Inside it, code that takes IMPORT_CPU_S of CPU time is interrupted by a ScenarioMistake."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise ScenarioMistake(f"it computes for more than {IMPORT_CPU_S:g} s when it is loaded; leave that to on_start")

    before = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, IMPORT_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
