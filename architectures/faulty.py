"""faulty: direct, with faults of exactly known amounts, against which chatbench's own figures are checked.

    member -> gateway -> (dropped, repeated, swapped, delayed, refused) -> the gateway's own members

It counts messages from 1, without the test messages of the probe, and applies each fault to every n-th message, as its
option says. It is not a candidate, but an instrument of `chatbench selftest`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from architectures.interface import (
    Architecture,
    BadTopology,
    Delivery,
    Option,
    Promises,
    Rejected,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, within_one_gateway

PROBE_BASE = 1 << 52  # ids from here on are test messages of the probe, which must all arrive
HELD_MAX_S = 0.2  # a message that waits for the next one is delivered after this, if none comes
TIMER_EARLY_S = 0.002  # uvloop's timers are in whole milliseconds; the rest is waited in steps of the event loop


class Faulty(Architecture):
    name: ClassVar[str] = "faulty"
    summary: ClassVar[str] = "calibration: direct, with faults of exactly known amounts"
    requires: ClassVar[Requirements] = Requirements(gateways_max=1)
    promises: ClassVar[Promises] = Promises(everyone=True, once=True, ordered=True, durable_ack=False)
    options: ClassVar[Mapping[str, Option]] = {
        "drop_every": 0.0,  # acked and never delivered
        "repeat_every": 0.0,  # delivered twice
        "swap_every": 0.0,  # delivered after the next message
        "refuse_every": 0.0,  # neither acked nor delivered
        "delay_ms": 0.0,  # added to every delivery
        "stall_at": 0.0,  # the number of the message at which the whole gateway stops
        "stall_ms": 0.0,  # for this long
    }

    _deliver: Callable[[Sequence[Delivery]], None]
    role: ClassVar[Role] = Role.CALIBRATION

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return within_one_gateway(scene)

    @classmethod
    def check(cls, topology: Topology) -> None:
        if topology.gateways != 1:
            raise BadTopology("faulty runs with one gateway; use --gateways 1")
        for name, value in topology.options.items():
            if not 0 <= float(value) < float("inf"):
                raise BadTopology(f"--arch-set {name} is {value}, but it must be 0 (off) or more")
        if topology.options.get("swap_every") == 1:
            raise BadTopology(
                "--arch-set swap_every is 1, but a message can only be swapped with one that is not swapped; use 2"
            )

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        cls.check(topology)

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self._deliver = deliver
        self._message_number = 0
        self._swapped: Delivery | None = None
        self._delayed: asyncio.Queue[tuple[float, Delivery]] = asyncio.Queue()
        self._delaying = asyncio.create_task(self._deliver_late())

    def _option(self, name: str) -> float:
        return float(self.topology.options.get(name, 0.0))

    async def publish(self, room: str, payload: bytes) -> None:
        message = Delivery(room, payload)
        if _is_test_message(payload):
            self._deliver([message])
            return
        self._message_number += 1
        if self._message_number == self._option("stall_at"):
            time.sleep(self._option("stall_ms") / 1000)  # noqa: ASYNC251 - the whole gateway must stop
        if self._is_due("refuse_every"):
            raise Rejected("faulty refuses this message")
        if not self._is_due("drop_every"):
            self._send(message, 2 if self._is_due("repeat_every") else 1)

    def _is_due(self, option: str) -> bool:
        every = int(self._option(option))
        return every > 0 and self._message_number % every == 0

    def _send(self, message: Delivery, copies: int) -> None:
        if self._is_due("swap_every"):
            self._swapped = message
            asyncio.get_running_loop().call_later(HELD_MAX_S, self._release, message)
            return
        self._pass_on([message] * copies)
        if self._swapped is not None:
            self._release(self._swapped)

    def _release(self, message: Delivery) -> None:
        if self._swapped is message:
            self._swapped = None
            self._pass_on([message])

    def _pass_on(self, messages: Sequence[Delivery]) -> None:
        delay_s = self._option("delay_ms") / 1000
        if delay_s == 0:
            self._deliver(messages)
            return
        due_s = time.monotonic() + delay_s
        for message in messages:
            self._delayed.put_nowait((due_s, message))

    async def _deliver_late(self) -> None:
        while True:
            due_s, message = await self._delayed.get()
            while (left_s := due_s - time.monotonic()) > 0:  # noqa: ASYNC110 - until a moment, not an event
                await asyncio.sleep(max(0.0, left_s - TIMER_EARLY_S))
            self._deliver([message])

    async def join(self, room: str) -> None:
        """Do nothing; see direct."""

    async def leave(self, room: str) -> None:
        """Do nothing; see direct."""

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        self._delaying.cancel()


def _is_test_message(payload: bytes) -> bool:
    try:
        return bool(json.loads(payload)["id"] >= PROBE_BASE)
    except (ValueError, LookupError, TypeError):
        return False  # not a frame of the protocol; a payload may be anything
