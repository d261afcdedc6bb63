"""The probe before the load: test messages, until every member has heard every gateway that it must hear."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from harness.core import protocol as wire
from harness.ipc.coordinator_clock import time_ns

# Test messages have ids above every id of the load, and no ledger counts them.
PROBE_BASE = 1 << 52


class Prober(Protocol):
    """What the probe needs of a member's socket."""

    number: int
    url: str

    @property
    def rooms(self) -> Iterable[str]: ...

    def send(self, frame: wire.ClientFrame) -> None: ...


class RunningProbe:
    """Sends test messages from every gateway in every room, until all members still there have heard what they must."""

    def __init__(self, members: Iterable[Prober], *, fragments: bool) -> None:
        self.complete = asyncio.Event()
        self.all_answered = asyncio.Event()
        self._fragments = fragments
        self._inside: dict[tuple[str, str], list[Prober]] = defaultdict(list)  # by room and gateway; the first speaks
        for member in members:
            for room in member.rooms:
                self._inside[room, member.url].append(member)
        urls: dict[str, list[str]] = defaultdict(list)
        for room, url in self._inside:
            urls[room].append(url)
        # (member, room, url not heard yet). If only fragments are promised, any message heard in the room is enough.
        self._missing = {
            (member.number, room, heard)
            for (room, _), inside in self._inside.items()
            for member in inside
            for heard in ([""] if fragments else urls[room])
        }
        self._said: dict[int, tuple[str, str]] = {}
        self._unanswered: dict[int, Prober] = {}
        # Each audience of a run sends its own probe and also hears those of the others, so the ids must not collide.
        self._first_id = PROBE_BASE + (secrets.randbits(31) << 20)

    def say_round(self) -> None:
        for (room, url), inside in self._inside.items():
            identity = self._first_id + len(self._said)
            self._said[identity] = (room, url)
            self._unanswered[identity] = inside[0]
            inside[0].send(wire.Say(room, identity, "can everybody hear me?", time_ns()))

    def heard(self, member: Prober, chat: wire.Chat) -> None:
        room, url = self._said.get(chat.id, ("", ""))
        self._missing.discard((member.number, room, "" if self._fragments else url))
        self._check()

    def answered(self, identity: int) -> None:
        """Record that a test message was acked or refused."""
        self._unanswered.pop(identity, None)
        self._check()

    def left(self, member: Prober, room: str) -> None:
        """Stop waiting for what this member hears in the room, and for answers to its test messages."""
        inside = self._inside.get((room, member.url), [])
        if member not in inside:
            return
        inside.remove(member)
        self._unanswered = {identity: each for identity, each in self._unanswered.items() if each is not member}
        self._missing = {each for each in self._missing if each[:2] != (member.number, room)}
        if not inside:  # no member is left to speak through this gateway
            del self._inside[room, member.url]
            self._missing = {each for each in self._missing if each[1:] != (room, member.url)}
        self._check()

    def _check(self) -> None:
        if not self._missing:
            self.complete.set()
            if not self._unanswered:
                self.all_answered.set()

    def problem(self) -> str | None:
        if not self._missing:
            return None
        member, room, url = min(self._missing)
        unheard = f"the gateway {url}" if url else "anything"
        return f"{len(self._missing)} of the probes were not heard; member {member} in {room} did not hear {unheard}"
