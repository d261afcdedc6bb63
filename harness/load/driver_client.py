"""The driver process, as chatbench sees it: starts it, sends it orders and receives its messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from harness.core.errors import LoadTooFast, ServiceFailed, UsageError
from harness.ipc import messages as msg
from harness.ipc.channel import Channel, ChannelClosed, spawn_peer
from harness.ipc.driver_settings import DriverSettings
from harness.services.processes import reason_in

Expected = TypeVar("Expected", bound=msg.Struct)


class DriverProcess:
    """The driver process, which starts with the object.

    The methods raise UsageError for a mistake in the scenario, and ServiceFailed for every other failure.
    """

    def __init__(
        self, settings: DriverSettings, check_others: Callable[[], None], *, secrets: Sequence[str] = ()
    ) -> None:
        """`check_others` raises if another process that the load needs has ended; `secrets` is as for `spawn`."""
        self._logs = Path(settings.logs)
        self._check_others = check_others
        self._channel: Channel[msg.FromCoordinator]
        self._child, self._channel = spawn_peer(
            "the driver",
            "harness.load.driver",
            self._logs / "driver.log",
            msg.FromCoordinator,
            stdin=msgspec.json.encode(settings),
            secrets=secrets,
        )

    def send(self, message: msg.ToCoordinator) -> None:
        try:
            self._channel.send(message)
        except ChannelClosed:
            self._fail()

    def receive(self, timeout_s: float) -> msg.FromCoordinator | None:
        """Return the driver's next message, or None if none comes in time."""
        try:
            news = self._channel.receive(timeout_s)
        except ChannelClosed:
            self._fail()
        if isinstance(news, msg.Broken):
            raise LoadTooFast(news.problem) if news.too_fast else UsageError(news.problem)
        if isinstance(news, msg.Failed):
            raise ServiceFailed(f"{news.problem}; its log is in {self._logs}")
        if isinstance(news, msg.Flooded):
            raise ServiceFailed(news.problem)
        self._check_others()
        return news

    def expect(self, kind: type[Expected], timeout_s: float, what: str) -> Expected:
        """Return the next message of that kind, and skip others before it. `what` names the wait in errors."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            news = self.receive(0.1)
            if isinstance(news, kind):
                return news
            if isinstance(news, msg.Ending):
                raise UsageError(f"the load was ended during {what}, before anything was measured")
        raise ServiceFailed(f"{what} took longer than {timeout_s:g} s; the logs are in {self._logs}")

    def _fail(self) -> NoReturn:
        self._child.await_end()
        audience_log = self._logs / "audience.log"
        audience = f" (audience: {reason_in(audience_log)})" if audience_log.exists() else ""
        raise self._child.failed(
            f"the driver ended: {reason_in(self._child.log)}{audience}; its logs are in {self._logs}"
        )

    def stop(self) -> None:
        self._channel.close()  # the driver and its audiences end when it closes
        self._child.stop(grace_s=3)
