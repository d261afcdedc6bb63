"""When sampled messages passed this gateway, so that a run can tell where the time of a message goes.

A message is sampled by its id, so that every gateway takes the same ones, and none of them has to be marked on its way.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from zlib import crc32

from harness.ledger.passages import RESERVED, Passage, Passages

KEPT_MAX = 100_000  # messages; older ones are forgotten if nobody has asked for so many
ID_DIGITS_MAX = 16  # as in protocol.MessageId
ID = b'"id":'  # of a chat frame: inside a text or a name the quotation mark has a backslash before it


class Trace:
    """Notes the passages of one in `one_in` messages."""

    def __init__(self, one_in: int) -> None:
        self._one_in = one_in
        self._passages: dict[int, Passage] = {}
        self._forgotten = 0

    def received(self, identity: int) -> None:
        """Note that this message has come from its sender, which may send it again if it was refused."""
        if self._takes(identity) and (passage := self._of(identity)).received_ns is None:
            passage.received_ns = time.time_ns()

    def accepted(self, identity: int) -> None:
        """Note that the backend has accepted this message."""
        if self._takes(identity) and (passage := self._of(identity)).accepted_ns is None:
            passage.accepted_ns = time.time_ns()

    def read(self, payload: bytes) -> int | None:
        """Note that this message has come from the backend; returns its id if it is traced and comes the first time."""
        identity = identity_of(payload)
        if identity is None or not self._takes(identity):
            return None
        passage = self._of(identity)
        if passage.read_ns is not None:
            return None
        passage.read_ns = time.time_ns()
        return identity

    def written(self, identities: Iterable[int], from_ns: int, to_ns: int) -> None:
        """Note that these messages were written to all members of a room, from the first to the last."""
        for identity in identities:
            passage = self._of(identity)
            passage.writing_ns, passage.written_ns = from_ns, to_ns

    def mark(self, payload: bytes, what: str) -> None:
        """Note that the message has got so far on its way, the first time that it does; see Architecture.mark.

        Raises ValueError for a name that a stage has already.
        """
        if what in RESERVED:
            raise ValueError(f"a mark is called {what!r}, which is the name of a stage; choose another one")
        identity = identity_of(payload)
        if identity is not None and self._takes(identity):
            self._of(identity).marks.setdefault(what, time.time_ns())

    def take(self) -> Passages:
        """Return what was noted since the last time."""
        passages, self._passages = self._passages, {}
        forgotten, self._forgotten = self._forgotten, 0
        return Passages(list(passages.values()), forgotten, self._one_in)

    def _takes(self, identity: int) -> bool:
        # By a checksum, so that every sender has its share, however few messages it sends, and every kind of message.
        return crc32(identity.to_bytes(8, "little")) % self._one_in == 0

    def _of(self, identity: int) -> Passage:
        passage = self._passages.get(identity)
        if passage is None:
            passage = self._passages[identity] = Passage(identity)
            if len(self._passages) > KEPT_MAX:
                del self._passages[next(iter(self._passages))]
                self._forgotten += 1
        return passage


def identity_of(payload: bytes) -> int | None:
    """Return the id in a chat frame; None if there is none, or not such as a frame may have."""
    start = payload.find(ID)
    if start < 0:
        return None
    start += len(ID)
    end = payload.find(b",", start)
    digits = payload[start:end]
    return int(digits) if digits.isdigit() and len(digits) <= ID_DIGITS_MAX else None
