"""The probe before the load: test messages until every member hears every gateway it must."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from harness import wire

# Test messages have ids of their own, above every id of the load, and belong to no ledger.
PROBE_BASE = 1 << 52


class Prober(Protocol):
    """What the probe needs of a member's socket."""

    number: int
    url: str

    @property
    def rooms(self) -> Iterable[str]: ...

    def send(self, frame: wire.ClientFrame) -> None: ...


class RunningProbe:
    """Test messages from every gateway in every room, until everybody has heard what they must."""

    def __init__(self, members: Iterable[Prober], *, fragments: bool) -> None:
        self.complete = asyncio.Event()
        self.all_answered = asyncio.Event()
        self._unanswered = 0
        self._fragments = fragments
        self._speakers: dict[tuple[str, str], Prober] = {}  # (room, url) -> somebody there
        rooms: dict[str, list[Prober]] = defaultdict(list)
        for member in members:
            for room in member.rooms:
                self._speakers.setdefault((room, member.url), member)
                rooms[room].append(member)
        self._missing: set[tuple[int, str, str]] = set()  # (member, room, url not heard yet)
        for room, inside in rooms.items():
            urls = {member.url for member in inside}
            for member in inside:
                # Where only fragments are promised, hearing anything in the room is enough.
                self._missing |= {(member.number, room, "")} if fragments else {(member.number, room, u) for u in urls}
        self._said: dict[int, tuple[str, str]] = {}
        # Each audience of a run probes for itself, and hears the test messages of the others.
        self._first_id = PROBE_BASE + (secrets.randbits(31) << 20)

    def say_round(self) -> None:
        for (room, url), speaker in self._speakers.items():
            identity = self._first_id + len(self._said)
            self._said[identity] = (room, url)
            self._unanswered += 1
            speaker.send(wire.Say(room, identity, "can everybody hear me?", time.time_ns()))

    def heard(self, member: Prober, chat: wire.Chat) -> None:
        room, url = self._said.get(chat.id, ("", ""))
        self._missing.discard((member.number, room, "" if self._fragments else url))
        self._check()

    def answered(self) -> None:
        """One test message was acked or refused."""
        self._unanswered -= 1
        self._check()

    def _check(self) -> None:
        if not self._missing:
            self.complete.set()
            if self._unanswered == 0:
                self.all_answered.set()

    def problem(self) -> str | None:
        if not self._missing:
            return None
        member, room, url = min(self._missing)
        unheard = f"the gateway {url}" if url else "anything"
        return f"{len(self._missing)} of the probes were not heard; member {member} in {room} did not hear {unheard}"
