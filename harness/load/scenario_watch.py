"""Detects mistakes of a locustfile while its members run: members that never join, idle tasks, and busy loops."""

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

from harness.load.mistakes import ScenarioMistake, at, is_in, mistake_text, scenario_of, waits_at

LOOK_S = 0.5
JOIN_SOON_S = 5.0  # within which a member must join after its start, unless it is still in on_start
ON_START_MAX_S = 45.0
# A class's tasks are a busy loop if more than IDLE_TASKS_PER_S end without a request, and either each member ends more
# than IDLE_TASKS_OF_MEMBER_PER_S or the process uses more than BUSY_SHARE of a core. The CPU time alone would not do:
# on a busy machine, other programs leave the process less of a core.
IDLE_TASKS_PER_S = 1_000
IDLE_TASKS_OF_MEMBER_PER_S = 200
BUSY_SHARE = 0.4
HOG_CPU_S = 3.0  # CPU time that one member's code may use without letting other members run
IMPORT_CPU_S = 10.0


class WatchedMember(Protocol):
    """What the watch needs of a member."""

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
        self._roomless: dict[WatchedMember, float | None] = {}  # members that have not asked to join -> running since
        self._tasks: Counter[type[WatchedMember]] = Counter()  # tasks that ended, by class
        self._requests: Counter[type[WatchedMember]] = Counter()  # joins, leaves, hang-ups and messages, by class
        self._looks = 0
        self._hog: tuple[gevent.Greenlet, int, float] | None = None  # (running greenlet, looks so far, its CPU time)
        self._looking = gevent.spawn(self._look)
        signal.signal(signal.SIGPROF, self._check_hog)
        signal.setitimer(signal.ITIMER_PROF, 1.0, 1.0)  # seconds of CPU time

    def close(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._looking.kill(block=False)

    # --- what members do

    def expect(self, member: WatchedMember) -> None:
        """Expect a member that has been spawned to join a room."""
        self._roomless[member] = None

    def note_join(self, member: WatchedMember) -> None:
        """Record that the member has asked to join a room."""
        self._roomless.pop(member, None)
        self.note_request(member)

    def note_request(self, member: WatchedMember) -> None:
        """Record that the member has joined, left, hung up or said something."""
        self._requests[type(member)] += 1

    def note_task(self, member: WatchedMember) -> None:
        """Record that one of the member's tasks has ended."""
        self._tasks[type(member)] += 1

    def forget(self, member: WatchedMember) -> None:
        """Record that the member has ended."""
        if member in self._roomless and self._is_test_running():
            self._report(member, f"{type(member).__name__} ended before it had joined a room")
        self._roomless.pop(member, None)

    # --- checks

    def _is_test_running(self) -> bool:
        runner: Any = self._environment.runner
        return runner.state in (STATE_SPAWNING, STATE_RUNNING)

    def _report(self, member: WatchedMember, problem: str) -> None:
        self._tell(f"the scenario {inspect.getfile(type(member))}: {problem}")

    def _look(self) -> None:
        looked_s, cpu_s = time.monotonic(), time.process_time()
        while True:
            gevent.sleep(LOOK_S)
            self._looks += 1
            now_s, now_cpu_s = time.monotonic(), time.process_time()
            self._check_spawning()
            self._check_roomless(now_s)
            self._check_idle(now_s - looked_s, now_cpu_s - cpu_s)
            looked_s, cpu_s = now_s, now_cpu_s

    def _check_spawning(self) -> None:
        """Report a failure of a member's own __init__, which Locust only logs."""
        runner: Any = self._environment.runner
        spawning = runner.spawning_greenlet
        if spawning is not None and spawning.ready() and not spawning.successful():
            self._tell(mistake_text(spawning.exception, scenario_of(self._environment)))

    def _check_roomless(self, now_s: float) -> None:
        for member, since_s in self._roomless.items():
            frame = None if member.greenlet is None else member.greenlet.gr_frame
            if frame is None:  # Locust makes all members before it lets the first one run
                continue
            if since_s is None:
                self._roomless[member] = now_s
                continue
            if now_s - since_s < JOIN_SOON_S:
                continue
            scenario, name = inspect.getfile(type(member)), type(member).__name__
            if not is_in(frame, "on_start", scenario):
                self._report(
                    member,
                    f"{name} has joined no room {JOIN_SOON_S:g} s after its start{waits_at(frame, scenario)}; "
                    "call self.join in on_start",
                )
                return
            if now_s - since_s > ON_START_MAX_S:
                self._report(
                    member,
                    f"{name} is still in on_start {ON_START_MAX_S:g} s after its start, and has joined no room"
                    f"{waits_at(frame, scenario)}; call self.join sooner",
                )
                return

    def _check_idle(self, took_s: float, cpu_s: float) -> None:
        for kind, tasks in self._tasks.items():
            members = sum(type(member) is kind for member in self._members.values())
            many_tasks = tasks > IDLE_TASKS_PER_S * took_s
            busy = cpu_s > BUSY_SHARE * took_s or tasks > IDLE_TASKS_OF_MEMBER_PER_S * took_s * members
            if not self._requests[kind] and many_tasks and busy:
                scenario = inspect.getfile(kind)
                user: Any = kind  # a Locust User, which WatchedMember does not say
                task: Any = next(iter(user.tasks))
                self._tell(
                    f"the scenario {at(scenario, inspect.getsourcelines(task)[1])} keeps a core busy without doing "
                    f"anything: the tasks of {kind.__name__} end {tasks / took_s:,.0f} times per second and say "
                    "nothing; call self.say there, or time.sleep(1) in a member that only listens"
                )
        self._tasks.clear()
        self._requests.clear()

    def _check_hog(self, _number: int, frame: FrameType | None) -> None:
        """Interrupt a member that computes without waiting. Called after each second of the process's CPU time."""
        current = gevent.getcurrent()
        if not any(member.greenlet is current for member in self._members.values()):
            self._hog = None
            return
        cpu_s = time.process_time()
        if self._hog is None or self._hog[:2] != (current, self._looks):  # others have run in the meantime
            self._hog = (current, self._looks, cpu_s)
        elif cpu_s - self._hog[2] > HOG_CPU_S:
            self._hog = None
            raise ScenarioMistake(
                f"a member has computed for {HOG_CPU_S:g} s without waiting, so that no other member could run; "
                "call self.say or time.sleep in its loop"
            )


@contextlib.contextmanager
def import_time_limit() -> Iterator[None]:
    """Raise ScenarioMistake in the code that runs inside once it has used IMPORT_CPU_S of CPU time."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise ScenarioMistake(f"it computes for more than {IMPORT_CPU_S:g} s while it is loaded; move that to on_start")

    before = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, IMPORT_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
