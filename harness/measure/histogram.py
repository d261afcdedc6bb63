"""Latencies as HDR histograms: microseconds in, milliseconds out, three significant digits."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram

LATENCY_MAX_US = 600_000_000  # ten minutes; longer ones count as this long


class LatencyMs(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds; a key of summary.json (contract). None: not measured."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Latencies:
    """A histogram that takes whole batches. Merge histograms with `add`; percentiles are never averaged."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LATENCY_MAX_US, 3)
        self.below_zero = 0  # latencies a stepped clock made negative; they count as 1 us, and the run says so

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def record_ns(self, latencies_ns: Sequence[int]) -> None:
        """Record a batch, in nanoseconds; one histogram update per distinct value and not per latency."""
        if not latencies_ns:
            return
        in_us = np.asarray(latencies_ns, dtype=np.int64) // 1000
        self.below_zero += int((in_us < 0).sum())
        in_us = in_us.clip(1, LATENCY_MAX_US)
        # Values the histogram cannot tell apart are counted before it is asked to: it keeps 11 bits of each.
        spare_bits = np.maximum(np.floor(np.log2(in_us)).astype(np.int64) - 10, 0)
        values, counts = np.unique(in_us >> spare_bits << spare_bits, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._histogram.record_value(value, count)

    def add(self, other: Latencies) -> None:
        self._histogram.add(other._histogram)
        self.below_zero += other.below_zero

    def percentile_ms(self, percentile: float) -> float | None:
        """The latency that `percentile` (0 to 100) of the recorded ones do not exceed; None if there are none."""
        if self.count == 0:
            return None
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000

    def summary(self) -> LatencyMs:
        if self.count == 0:
            return LatencyMs()
        return LatencyMs(
            p50=self.percentile_ms(50),
            p90=self.percentile_ms(90),
            p99=self.percentile_ms(99),
            p999=self.percentile_ms(99.9),
            max=float(self._histogram.get_max_value()) / 1000,
        )

    def distribution(self) -> Iterator[tuple[float, float]]:
        """(latency in ms, share of all that were at most that long), one step for each value that was recorded."""
        so_far = 0
        for step in self._histogram.get_recorded_iterator():
            so_far += step.count_added_in_this_iter_step
            yield step.value_iterated_to / 1000, so_far / self.count

    def encode(self) -> bytes:
        """HdrHistogram's own compressed form, readable by its other implementations."""
        return bytes(self._histogram.encode())

    @classmethod
    def decode(cls, encoded: bytes) -> Latencies:
        latencies = cls()
        if encoded:
            latencies._histogram = HdrHistogram.decode(encoded)
        return latencies

    def write_hgrm(self, path: Path) -> None:
        """The percentile distribution in milliseconds, in the text form that HDR plotters read."""
        out = io.BytesIO()
        self._histogram.output_percentile_distribution(out, 1000.0)
        # The library scales every figure to milliseconds but this one.
        deviation_ms = self._histogram.get_stddev() / 1000
        text = re.sub(r"(StdDeviation +=).*]", rf"\1 {deviation_ms:12.3f}]", out.getvalue().decode())
        path.write_text(text, encoding="utf-8")
