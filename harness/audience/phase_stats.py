"""The statistics of one phase of a run, in one audience: made fresh when it begins, never reset."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from harness.audience.history import History, Message
from harness.ipc import messages as msg
from harness.ledger.reports import kind_of
from harness.measure.histogram import Latencies


class Chunk:
    """What some bytes say in one room, and when each member got them: many get the same bytes."""

    __slots__ = ("heard_ns", "messages", "room")

    def __init__(self, room: str, messages: tuple[Message, ...]) -> None:
        self.room = room
        self.messages = messages
        self.heard_ns: list[int] = []  # not yet moved into the histograms


class KindOfMessage:
    """How long the messages of one kind took, where there are several."""

    def __init__(self) -> None:
        self.latency, self.ack = Latencies(), Latencies()

    def report(self) -> msg.KindLatencies:
        return msg.KindLatencies(latency=self.latency.pack(), ack=self.ack.pack())


class Phase:
    """What is counted between BeginPhase and EndPhase."""

    def __init__(self, begin: msg.BeginPhase) -> None:
        self.name = begin.name
        self.start_ns = begin.start_ns
        self.history = History()
        self.by_kind = {} if begin.kinds == 1 else {kind: KindOfMessage() for kind in range(begin.kinds)}
        self.latency = Latencies()
        self.ack = Latencies()
        self.send_lateness = Latencies()
        self.loop_lag = Latencies()
        self.away = Latencies()
        self.join = Latencies()
        self.joins_redirected = 0
        self.caught_up = Latencies()
        self.replayed = 0  # what came of the past of a room, to who had been away
        self.clock_stepped_ns = 0
        self.not_taken_ns: list[int] = []  # when somebody was to speak who was not in the room
        self.refused: Counter[str] = Counter()
        self.strays = 0
        self.disconnects = 0
        self.heard = 0  # first deliveries, until the last flush
        self.repeated = 0  # deliveries to members who had that message already
        self.untimed = 0  # first deliveries to members who read slowly on purpose
        self.unanswered = 0  # said, but neither acked nor refused yet
        self._open_second(0)
        # Raw nanoseconds since the last flush: an append costs less than a histogram's update.
        self.fresh: list[Chunk] = []
        self.new_latency_ns: list[int] = []
        self.new_ack_ns: list[int] = []
        self.new_lateness_ns: list[int] = []
        self.new_lag_ns: list[int] = []

    def _open_second(self, second: int) -> None:
        self.second = second
        self.second_latency = Latencies()
        self.second_said = self.second_acked = 0
        self.second_ack = Latencies()

    def flush(self) -> None:
        """Move what is raw into the histograms, as a batch."""
        latencies = self._fresh_latencies_ns()
        self.heard += len(latencies)
        acks, lateness, lags = self.new_ack_ns, self.new_lateness_ns, self.new_lag_ns
        self.new_ack_ns, self.new_lateness_ns, self.new_lag_ns = [], [], []
        self.second_latency.record_ns(latencies)
        self.second_ack.record_ns(acks)
        self.send_lateness.record_ns(lateness)
        self.loop_lag.record_ns(lags)

    def _fresh_latencies_ns(self) -> npt.NDArray[np.int64]:
        batches = [np.array(self.new_latency_ns, dtype=np.int64)]
        self.new_latency_ns = []
        chunks, self.fresh = self.fresh, []
        for chunk in chunks:
            heard_ns = np.array(chunk.heard_ns, dtype=np.int64)
            first_ns, last_ns = chunk.heard_ns[0], chunk.heard_ns[-1]
            chunk.heard_ns = []
            for message in chunk.messages:
                batches.append(heard_ns - message.intended_ns)
                note_heard(message, first_ns, last_ns)
                if (kind := self._kind(message)) is not None:
                    kind.latency.record_ns(batches[-1])
        return np.concatenate(batches)

    def time_delivery(self, message: Message, now_ns: int) -> None:
        """To one member, apart from those who heard the same bytes."""
        self.new_latency_ns.append(now_ns - message.intended_ns)
        if (kind := self._kind(message)) is not None:
            kind.latency.record_ns([now_ns - message.intended_ns])

    def time_ack(self, message: Message, now_ns: int) -> None:
        self.new_ack_ns.append(now_ns - message.intended_ns)
        if (kind := self._kind(message)) is not None:
            kind.ack.record_ns([now_ns - message.intended_ns])

    def _kind(self, message: Message) -> KindOfMessage | None:
        """None where there is only one, and of what somebody else said in the room."""
        return self.by_kind.get(kind_of(message.identity)) if self.by_kind else None

    def note_in(self, took_ns: int, *, away: bool, redirected: bool) -> None:
        """A member is in its room: again, after it had lost its place there, or because it asked for it."""
        if away:
            self.away.record_ns([took_ns])
        else:
            self.join.record_ns([took_ns])
            self.joins_redirected += redirected

    def progress(self) -> msg.DrainProgress:
        self.flush()
        return msg.DrainProgress(
            heard=self.heard + self.repeated + self.untimed + self.replayed, unanswered=self.unanswered
        )

    def close_second(self, next_second: int) -> msg.AudienceSecond:
        """What the second that was open had; it joins the phase."""
        self.latency.add(self.second_latency)
        self.ack.add(self.second_ack)
        tick = msg.AudienceSecond(
            phase=self.name,
            second=self.second,
            said=self.second_said,
            acked=self.second_acked,
            latency=self.second_latency.pack(),
            ack=self.second_ack.pack(),
        )
        self._open_second(next_second)
        return tick

    def report(self, away_at_end: int = 0) -> msg.PhaseReport:
        """Everything that was counted; call flush and close_second before."""
        return msg.PhaseReport(
            phase=self.name,
            rooms=self.history.report(),
            latency=self.latency.pack(),
            ack=self.ack.pack(),
            send_lateness=self.send_lateness.pack(),
            loop_lag=self.loop_lag.pack(),
            clock_stepped_ns=self.clock_stepped_ns,
            refused=dict(self.refused),
            strays=self.strays,
            disconnects=self.disconnects,
            away=self.away.pack(),
            away_at_end=away_at_end,
            join=self.join.pack(),
            joins_redirected=self.joins_redirected,
            caught_up=self.caught_up.pack(),
            not_taken_ns=self.not_taken_ns,
            unanswered=self.unanswered,
            by_kind={number: kind.report() for number, kind in self.by_kind.items()},
        )


def note_heard(message: Message, first_ns: int, last_ns: int) -> None:
    """Somebody has heard it at these moments."""
    if message.first_ns is None or first_ns < message.first_ns:
        message.first_ns = first_ns
    if message.last_ns is None or last_ns > message.last_ns:
        message.last_ns = last_ns
