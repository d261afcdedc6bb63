"""The statistics of one phase of a run: made fresh when it begins, never reset."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.load import messages as msg
from harness.load.ledger import Ledger
from harness.measure.histogram import Latencies, LatencyMs


class Phase:
    """What is counted between BeginPhase and PhaseResult: made fresh for each, never reset."""

    def __init__(self, begin: msg.BeginPhase) -> None:
        self.name = begin.name
        self.start_ns = begin.start_ns
        self.ledger = Ledger()
        self.latency = Latencies()
        self.ack = Latencies()
        self.send_lateness = Latencies()
        self.loop_lag = Latencies()
        self.refused: Counter[str] = Counter()
        self.strays = 0
        self.disconnects = 0
        self.drained = True
        self.unanswered = 0  # said, but neither acked nor refused yet
        self._open_second(0)
        # Raw nanoseconds since the last flush: an append costs less than a histogram's update.
        self.new_latency_ns: list[int] = []
        self.new_ack_ns: list[int] = []
        self.new_lateness_ns: list[int] = []

    def _open_second(self, second: int) -> None:
        self.second = second
        self.second_latency = Latencies()
        self.second_said = self.second_acked = self.second_delivered = 0
        self.deliver_ms: Counter[int] = Counter()
        self.ack_ms: Counter[int] = Counter()

    def flush(self) -> None:
        """Move the raw latencies into the histograms, as a batch."""
        latencies, acks, lateness = self.new_latency_ns, self.new_ack_ns, self.new_lateness_ns
        self.new_latency_ns, self.new_ack_ns, self.new_lateness_ns = [], [], []
        self.second_latency.record_ns(latencies)
        self.second_delivered += len(latencies)
        self.ack.record_ns(acks)
        self.send_lateness.record_ns(lateness)
        self.deliver_ms.update(_locust_ms(latencies))
        self.ack_ms.update(_locust_ms(acks))

    def close_second(self, next_second: int) -> msg.Tick:
        """The counts of the second that was open; its latencies join those of the phase."""
        latency = self.second_latency.summary()
        self.latency.add(self.second_latency)
        tick = self._tick(latency)
        self._open_second(next_second)
        return tick

    def _tick(self, latency: LatencyMs) -> msg.Tick:
        return msg.Tick(
            phase=self.name,
            second=self.second,
            said=self.second_said,
            acked=self.second_acked,
            delivered=self.second_delivered,
            latency_p50_ms=latency.p50,
            latency_p90_ms=latency.p90,
            latency_p99_ms=latency.p99,
            latency_max_ms=latency.max,
            deliver_ms=dict(self.deliver_ms),
            ack_ms=dict(self.ack_ms),
        )

    def result(self) -> msg.PhaseResult:
        """Everything that was counted, and the ledger's verdict."""
        spread = Latencies()
        spread.record_ns(
            [
                message.last_ns - message.first_ns
                for message in self.ledger.messages.values()
                if message.first_ns is not None and message.last_ns is not None
            ]
        )
        return msg.PhaseResult(
            phase=self.name,
            verdict=self.ledger.verdict(),
            latency=self.latency.encode(),
            ack=self.ack.encode(),
            spread=spread.encode(),
            send_lateness=self.send_lateness.encode(),
            loop_lag=self.loop_lag.encode(),
            refused=dict(self.refused),
            strays=self.strays,
            disconnects=self.disconnects,
            # Encoding keeps the counts of a histogram and nothing beside them.
            below_zero=sum(each.below_zero for each in (self.latency, self.ack, self.send_lateness)),
            drained=self.drained,
        )


def _locust_ms(latencies_ns: list[int]) -> dict[int, int]:
    """Whole milliseconds in the steps Locust keeps (1 below 100, 10 below 1000, and so on) -> count."""
    ms = np.rint(np.asarray(latencies_ns, dtype=np.float64) / 1e6)
    step = 10.0 ** np.clip(np.floor(np.log10(np.maximum(ms, 1))) - 1, 0, None)
    values, counts = np.unique((np.rint(ms / step) * step).astype(np.int64), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
