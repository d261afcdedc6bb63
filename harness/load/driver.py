"""The driver process: Locust as a library, headless, under the orders of `chatbench run`.

Importing locust patches the process with gevent; it must come first, and asyncio stays out of this process.
"""

from __future__ import annotations

import locust  # isort: skip

import csv
import io
import logging
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import gevent
import locust.env
import locust.stats
import msgspec
from locust.user.users import User
from locust.util.load_locustfile import load_locustfile

from harness.load import messages as msg
from harness.load.channel import Channel, ChannelClosed
from harness.load.crowd import Crowd, LoadSettings
from harness.load.driver_settings import DriverSettings
from harness.load.member import Member

SPAWN_TIMEOUT_S = 90.0


class BrokenScenario(Exception):
    """The locustfile cannot be used; the text says why, for the user."""


class Driver:
    """Obeys chatbench at the other end of the channel."""

    def __init__(self, settings: DriverSettings, channel: Channel[msg.ToDriver]) -> None:
        self._channel = channel
        users, shapes = _load_scenario(Path(settings.scenario))
        rooms = settings.rooms or users[0].rooms_for(settings.members)
        self._environment = locust.env.Environment(
            user_classes=list[type[User]](users),
            shape_class=shapes[0] if shapes else None,
            events=locust.events,
            catch_exceptions=False,  # an exception ends the member instead of repeating without pause
        )
        self._environment.events.user_error.add_listener(self._on_user_error)  # type: ignore[no-untyped-call]  # Locust's
        self._runner = self._environment.create_local_runner()
        load = LoadSettings(
            members=settings.members,
            rooms=rooms,
            rate_per_s=settings.rate_per_s,
            payload_bytes=settings.payload_bytes,
            seed=settings.seed,
        )
        self._crowd = Crowd(self._environment, load, Path(settings.audience_log), self._on_news)
        self._scenario = settings.scenario
        self._user_error: str | None = None
        self._not_sent = 0

    def obey(self) -> None:
        """Act on chatbench's messages until it closes the channel."""
        crowd = self._crowd
        self._channel.send(msg.Ready(pids=crowd.pids, rooms=crowd.load.rooms))
        while (order := self._channel.receive()) is not None:
            match order:
                case msg.Spawn():
                    crowd.urls = order.urls
                    gevent.spawn(self._spawn_members)
                case msg.Probe():
                    crowd.tell(order)
                case msg.BeginPhase():
                    crowd.begin(order)
                    gevent.spawn(self._end_phase)
                case msg.EndPhase():
                    crowd.end_now()

    def _spawn_members(self) -> None:
        crowd, members = self._crowd, self._crowd.load.members
        self._runner.start(members, spawn_rate=members)
        deadline = time.monotonic() + SPAWN_TIMEOUT_S
        while crowd.joined < members and not crowd.failures and not self._user_error:
            if time.monotonic() > deadline:
                crowd.failures.append(f"not all had joined within {SPAWN_TIMEOUT_S:g} s")
            self._channel.send(msg.Spawned(joined=crowd.joined))
            gevent.sleep(0.1)
        problem = crowd.failures[0] if crowd.failures else None
        self._channel.send(msg.Spawned(joined=crowd.joined, problem=problem))

    def _end_phase(self) -> None:
        self._not_sent = self._crowd.await_end()

    def _on_news(self, news: msg.FromAudience | msg.Failed) -> None:
        match news:
            case msg.Tick() | msg.Probed() | msg.Failed():
                self._channel.send(news)
            case msg.PhaseResult():
                self._channel.send(
                    msgspec.structs.replace(news, not_sent=self._not_sent, locust_stats_csv=self._stats_csv())
                )

    def _on_user_error(self, user_instance: User, exception: Exception, tb: object, **_: object) -> None:
        if isinstance(exception, ChannelClosed):
            return  # the audience ended, which is no fault of the scenario and is told as such
        if self._user_error is None:
            self._user_error = f"the scenario {self._scenario} failed: {_where(exception)}"
            self._channel.send(msg.Broken(problem=self._user_error))

    def _stats_csv(self) -> str:
        out = io.StringIO()
        percentiles = locust.stats.PERCENTILES_TO_REPORT
        locust.stats.StatsCSV(self._environment, percentiles).requests_csv(csv.writer(out))
        return out.getvalue()


def _load_scenario(path: Path) -> tuple[list[type[Member]], list[locust.LoadTestShape]]:
    try:
        users, shapes = load_locustfile(str(path))
    except (Exception, SystemExit) as problem:
        raise BrokenScenario(f"the scenario {path} cannot be loaded: {_where(problem)}") from problem
    members = [user for user in users.values() if issubclass(user, Member)]
    if len(members) != len(users) or not members:
        strangers = ", ".join(name for name, user in users.items() if not issubclass(user, Member))
        found = f"{strangers} is no Member" if strangers else "it has no user class"
        raise BrokenScenario(f"the scenario {path} cannot be used: {found}; derive from harness.load.member.Member")
    return members, shapes


def _where(problem: BaseException) -> str:
    """The exception in one line, with the line of the scenario it came from."""
    text = " ".join(f"{type(problem).__name__}: {problem}".split())
    if isinstance(problem, SyntaxError):
        return text
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{text} (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else text


def main() -> None:
    """`python -m harness.load.driver FD`, settings as JSON on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when it ends
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    channel: Channel[msg.ToDriver] = Channel(socket.socket(fileno=int(sys.argv[1])), msg.ToDriver)
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=DriverSettings)
    try:
        Driver(settings, channel).obey()
    except BrokenScenario as problem:
        channel.send(msg.Broken(problem=str(problem)))
    except ChannelClosed:
        pass  # chatbench is done with us, or gone


if __name__ == "__main__":
    main()
