"""What members say and hear: sends messages, decodes frames, records deliveries, and matches answers to messages.

All members of a room receive the same bytes, so the bytes are decoded once and looked up afterwards. A delivery then
costs one dictionary lookup and one appended timestamp.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from harness.audience.history import Message, Stay
from harness.audience.member_socket import MemberSocket
from harness.audience.phase_stats import Chunk, Phase, note_heard
from harness.audience.probe import PROBE_BASE, RunningProbe
from harness.core import protocol as wire
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns
from harness.ledger.reports import UNDER_WAY_NS

KNOWN_CHUNKS_MAX = 4096


class Deliveries:
    """Counts what members say and hear, for the current phase or the current probe."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[Chunk, ...]] = {}  # keyed by all the bytes of one read
        self.phase: Phase | None = None
        self.probe: RunningProbe | None = None

    def end_phase(self) -> Phase | None:
        """Stop counting, and return the phase that was counted."""
        phase, self.phase = self.phase, None
        self.known.clear()
        return phase

    # --- what members say

    def say(self, member: MemberSocket | None, speak: msg.Speak) -> None:
        """Send the message over the member's socket. None, or a closed socket, means that it is not in the room."""
        phase = self.phase
        if phase is None:
            return  # cannot happen: EndPhase follows the last Speak on the same channel
        if member is None or not member.connection.is_open:
            phase.refused["not_in_the_room"] += 1
            phase.not_taken_ns.append(speak.intended_ns)
            return
        now_ns = time_ns()
        message = phase.history.say(speak.message_id, speak.room, speak.intended_ns, now_ns)
        message.waits = True
        member.waiting[speak.message_id] = message
        phase.new_lateness_ns.append(now_ns - speak.intended_ns)
        phase.second_said += 1
        phase.unanswered += 1
        member.send(wire.Say(speak.room, speak.message_id, speak.text, speak.intended_ns))

    def no_answer_will_come(self, member: MemberSocket) -> None:
        """The member's connection is gone. Messages that the gateway already has may still reach others for a while."""
        for identity in list(member.waiting):
            message = self._answer_came(member, identity)
            if message is not None:
                message.over_ns = time_ns() + UNDER_WAY_NS

    # --- what members hear

    def heard(self, member: MemberSocket, chunk: Chunk, now_ns: int) -> None:
        """Record that the member received these messages."""
        phase = self.phase
        if phase is None:
            return
        stay = member.stays.get(chunk.room)
        if stay is None:
            phase.strays += len(chunk.messages)
            return
        if stay.missing:
            self._heard_of_the_past(phase, stay, chunk.messages, now_ns)
            return
        again = stay.hear(chunk.messages)
        if again or not stay.timed:
            self._heard_one_by_one(phase, stay, chunk.messages, again, now_ns)
            return
        heard_ns = chunk.heard_ns
        if not heard_ns:
            phase.fresh.append(chunk)
        heard_ns.append(now_ns)

    def _heard_one_by_one(
        self, phase: Phase, stay: Stay, messages: Iterable[Message], again: Iterable[Message], now_ns: int
    ) -> None:
        repeated = Counter(again)
        phase.repeated += repeated.total()
        for message in messages:
            if repeated[message] > 0:
                repeated[message] -= 1
                continue
            if stay.timed:
                note_heard(message, now_ns, now_ns)
                phase.time_delivery(message, now_ns)
            else:
                phase.untimed += 1

    def _heard_of_the_past(self, phase: Phase, stay: Stay, messages: tuple[Message, ...], now_ns: int) -> None:
        """Record messages that the member missed while away, and any new ones after them.

        A missed message has no latency: it is late because the member was away, not because of the gateway.
        """
        past, present = messages[: stay.missing], messages[stay.missing :]
        stay.hear(past)
        stay.told += len(past)
        phase.replayed += len(past)
        caught_up(phase, stay, len(past), now_ns)
        if present:
            self._heard_one_by_one(phase, stay, present, stay.hear(present), now_ns)

    def left(self, member: MemberSocket, room: str) -> None:
        """The member has left the room, so the probe no longer waits for it there."""
        if self.probe is not None:
            self.probe.left(member, room)

    # --- frames

    def decode(self, member: MemberSocket, frames: list[bytes], texts: list[bytes], now_ns: int) -> None:
        """Decode text frames of one read whose bytes are new, usually because this member is the first to get them."""
        heard: list[Chunk] = []
        for frame, text in zip(frames, texts, strict=True):
            chunks = self.known.get(frame) or self._decode_one(member, frame, text, now_ns)
            for chunk in chunks:
                self.heard(member, chunk, now_ns)
            heard += chunks
        if 1 < len(heard) == len(frames):
            by_room = itertools.groupby(heard, key=lambda chunk: chunk.room)
            joined = (Chunk(room, tuple(m for chunk in same for m in chunk.messages)) for room, same in by_room)
            self._learn(b"".join(frames), tuple(joined))

    def _decode_one(self, member: MemberSocket, frame: bytes, text: bytes, now_ns: int) -> tuple[Chunk, ...]:
        """Return the frame as a chunk of its own, or handle it and return () if it is not a message of this phase."""
        decoded = wire.decode_gateway_frame(text)
        if not isinstance(decoded, wire.Chat):
            self._answered(member, decoded, now_ns)
            return ()
        if decoded.id >= PROBE_BASE:
            if self.probe is not None:
                self.probe.heard(member, decoded)
            return ()
        phase = self.phase
        if phase is None:
            return ()
        if decoded.sent is None or decoded.sent < phase.start_ns:  # it was sent in an earlier phase
            stay = member.stays.get(decoded.room)
            if stay is not None and stay.missing:
                caught_up(phase, stay, 1, now_ns)
            else:
                phase.strays += 1
            return ()
        message = phase.history.room(decoded.room).message(decoded.id, decoded.sent)
        chunks = (Chunk(decoded.room, (message,)),)
        self._learn(frame, chunks)
        return chunks

    def _learn(self, data: bytes, chunks: tuple[Chunk, ...]) -> None:
        if len(self.known) >= KNOWN_CHUNKS_MAX:
            self.known.clear()
        self.known[data] = chunks

    # --- answers

    def _answered(self, member: MemberSocket, frame: wire.GatewayFrame, now_ns: int) -> None:
        match frame:
            case wire.Ack(id=int(identity)) | wire.Error(id=int(identity)) if identity >= PROBE_BASE:
                if self.probe is not None:
                    self.probe.answered(identity)
            case wire.Ack(identity):
                self._acked(member, identity, now_ns)
            case wire.Error(code, _, int(identity)):
                self._refused(member, code, identity)
            case wire.Joined() | wire.Redirect() | wire.Error():
                member.membership.answered(member, frame, now_ns)

    def _acked(self, member: MemberSocket, identity: int, now_ns: int) -> None:
        phase = self.phase
        message = None if phase is None else phase.history.said.get(identity)
        if phase is None or message is None:
            return
        self._answer_came(member, identity)
        if phase.history.ack(message, now_ns):
            phase.time_ack(message, now_ns)
            phase.second_acked += 1

    def _refused(self, member: MemberSocket, code: str, identity: int) -> None:
        if self.phase is None:
            return
        message = self._answer_came(member, identity)
        if message is not None:
            message.over_ns = time_ns()
        self.phase.refused[code] += 1

    def _answer_came(self, member: MemberSocket, identity: int) -> Message | None:
        message = member.waiting.pop(identity, None)
        if message is not None and self.phase is not None:
            message.waits = False
            self.phase.unanswered -= 1
        return message


def caught_up(phase: Phase, stay: Stay, count: int, now_ns: int) -> None:
    """Record that `count` more of the messages that the member missed have arrived."""
    stay.missing -= count
    if stay.missing == 0 and stay.resumed:
        phase.caught_up.record_ns([now_ns - stay.asked_ns])
