"""The statistics of one phase of a run in one audience. They are created when the phase begins and never reset."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from harness.audience.history import History, Message
from harness.ipc import messages as msg
from harness.ledger.receipts import ReceiptLog
from harness.ledger.reports import kind_of
from harness.measure.histogram import Latencies

FROM_SENDING_BATCH = 4096  # deliveries; a batch of this size is cheap and takes a tenth of a millisecond


class Chunk:
    """The messages of one room in a sequence of bytes, and when each member received those bytes."""

    __slots__ = ("heard_ns", "messages", "room")

    def __init__(self, room: str, messages: tuple[Message, ...]) -> None:
        self.room = room
        self.messages = messages
        self.heard_ns: list[int] = []  # receipts not yet moved into the histograms


class KindOfMessage:
    """The latencies of one kind of message, where a scenario has several."""

    def __init__(self) -> None:
        self.latency, self.ack = Latencies(), Latencies()

    def report(self) -> msg.KindLatencies:
        return msg.KindLatencies(latency=self.latency.pack(), ack=self.ack.pack())


class FromSending:
    """Latencies from the moment of sending, where `Phase.latency` counts from the intended moment.

    The moment at which a member of another process sent a message is not known here: the ledger adds these latencies.
    """

    def __init__(self) -> None:
        self.latency = Latencies()
        self.receipts = ReceiptLog()
        self.count = 0  # deliveries that are neither in the histogram nor in columns of receipts yet
        self._heard_ns: list[npt.NDArray[np.int64]] = []  # these deliveries, message by message
        self._sent_ns: list[int] = []

    def note(self, message: Message, heard_ns: npt.NDArray[np.int64]) -> None:
        """Remember deliveries of a message, in the order of time."""
        self.count += len(heard_ns)
        if message.sent_ns is None:
            self.receipts.note(message.identity, heard_ns)
            return
        self._heard_ns.append(heard_ns)
        self._sent_ns.append(message.sent_ns)

    def record(self) -> None:
        """Move the deliveries of own messages into the histogram, as one batch, and pack the others' receipts."""
        self.receipts.pack()
        self.count = 0
        if not self._heard_ns:
            return
        sent_ns = np.repeat(self._sent_ns, [len(each) for each in self._heard_ns])
        self.latency.record_ns(np.concatenate(self._heard_ns) - sent_ns)
        self._heard_ns, self._sent_ns = [], []


class Phase:
    """Everything that is counted between BeginPhase and EndPhase."""

    def __init__(self, begin: msg.BeginPhase) -> None:
        self.name = begin.name
        self.start_ns = begin.start_ns
        self.history = History()
        self.by_kind = {} if begin.kinds == 1 else {kind: KindOfMessage() for kind in range(begin.kinds)}
        self.latency = Latencies()
        self.from_sending = FromSending()
        self.is_measured = begin.name == "measure"  # no other phase's latencies from sending are looked at
        self.ack = Latencies()
        self.send_lateness = Latencies()
        self.loop_lag = Latencies()
        self.away = Latencies()
        self.join = Latencies()
        self.joins_redirected = 0
        self.caught_up = Latencies()
        self.replayed = 0  # missed messages delivered to members that had been away
        self.clock_stepped_ns = 0
        self.not_taken_ns: list[int] = []  # intended times of messages whose member was not in the room
        self.refused: Counter[str] = Counter()
        self.strays = 0
        self.disconnects = 0
        self.heard = 0  # first deliveries, up to the last flush
        self.repeated = 0  # deliveries to members that already had the message
        self.untimed = 0  # first deliveries to members that read slowly on purpose
        self.unanswered = 0  # said, but neither acked nor refused yet
        self._open_second(0)
        # Raw values since the last flush, in ns: an append costs less than a histogram's update.
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
        """Move the raw values into the histograms, as one batch."""
        latencies = self._fresh_latencies_ns()
        self.heard += len(latencies)
        acks, lateness, lags = self.new_ack_ns, self.new_lateness_ns, self.new_lag_ns
        self.new_ack_ns, self.new_lateness_ns, self.new_lag_ns = [], [], []
        self.second_latency.record_ns(latencies)
        self.second_ack.record_ns(acks)
        self.send_lateness.record_ns(lateness)
        self.loop_lag.record_ns(lags)
        if self.from_sending.count >= FROM_SENDING_BATCH:
            self.from_sending.record()

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
                if self.is_measured:
                    self.from_sending.note(message, heard_ns)
                note_heard(message, first_ns, last_ns)
                if (kind := self._kind(message)) is not None:
                    kind.latency.record_ns(batches[-1])
        return np.concatenate(batches)

    def time_delivery(self, message: Message, now_ns: int) -> None:
        """Record the latency of a delivery to one member that is not timed with its whole chunk."""
        self.new_latency_ns.append(now_ns - message.intended_ns)
        if self.is_measured:
            self.from_sending.note(message, np.array([now_ns]))
        if (kind := self._kind(message)) is not None:
            kind.latency.record_ns([now_ns - message.intended_ns])

    def time_ack(self, message: Message, now_ns: int) -> None:
        self.new_ack_ns.append(now_ns - message.intended_ns)
        if (kind := self._kind(message)) is not None:
            kind.ack.record_ns([now_ns - message.intended_ns])

    def _kind(self, message: Message) -> KindOfMessage | None:
        """Return the message's kind; None if there is only one kind, or if the message is from outside the load."""
        return self.by_kind.get(kind_of(message.identity)) if self.by_kind else None

    def note_in(self, took_ns: int, *, away: bool, redirected: bool) -> None:
        """Record that a member is in a room: back after it had lost its place (`away`), or by a join of its own."""
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
        """Add the open second to the phase, open another, and return the counts of the one that was closed."""
        self.from_sending.record()
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
        """Return everything that was counted. Call flush and close_second first."""
        return msg.PhaseReport(
            phase=self.name,
            rooms=self.history.report(),
            latency=self.latency.pack(),
            latency_from_sending=self.from_sending.latency.pack(),
            receipts=self.from_sending.receipts.report(),
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
    """Widen the message's first and last delivery to include these moments."""
    if message.first_ns is None or first_ns < message.first_ns:
        message.first_ns = first_ns
    if message.last_ns is None or last_ns > message.last_ns:
        message.last_ns = last_ns
