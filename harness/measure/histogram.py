"""Latencies as HDR histograms: microseconds in, milliseconds out, three significant digits."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

LATENCY_MAX_US = 600_000_000  # ten minutes; longer ones count as this long
SIGNIFICANT_DIGITS = 3
# What three digits are to an HDR histogram: it keeps the 11 highest bits of a value.
KEPT_BITS = 11
# What the library raises for bytes that are something else, or cut.
UNREADABLE = (
    *(HdrCookieException, HdrLengthException, HdrHistogramSettingsException, zlib.error),
    *(ValueError, TypeError, IndexError, OverflowError, AttributeError, ZeroDivisionError, MemoryError),
)
HALF = 1 << (KEPT_BITS - 1)
STEPS = (LATENCY_MAX_US.bit_length() - KEPT_BITS + 2) * HALF


class LatencyMs(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds; a key of summary.json (contract). None: not measured."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Latencies:
    """A histogram that takes whole batches. Merge histograms with `add`; percentiles are never averaged.

    Counts are kept in one array, in the steps of an HDR histogram; the library's own histogram is made of them when it
    is asked for something, which is rarely.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(STEPS, dtype=np.int64)
        self.below_zero = 0  # latencies a stepped clock made negative; they count as 1 us, and the run says so

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    def record_ns(self, latencies_ns: npt.ArrayLike) -> None:
        """Record a batch, in nanoseconds."""
        in_us = np.asarray(latencies_ns, dtype=np.int64) // 1000
        self.below_zero += int((in_us < 0).sum())
        self._record_us(in_us.clip(1, LATENCY_MAX_US))

    def _record_us(self, in_us: npt.NDArray[np.int64], counts: npt.ArrayLike = 1) -> None:
        spare_bits = np.maximum(np.log2(in_us).astype(np.int64) - KEPT_BITS + 1, 0)
        np.add.at(self._counts, spare_bits * HALF + (in_us >> spare_bits), counts)

    def recorded_ms(self) -> dict[float, int]:
        """Milliseconds, as far as they are told apart -> count."""
        return {value_us / 1000: count for value_us, count in self._recorded_us()}

    def _recorded_us(self) -> Iterator[tuple[int, int]]:
        (steps,) = self._counts.nonzero()
        spare_bits = np.maximum(steps // HALF - 1, 0)
        values = (steps - spare_bits * HALF) << spare_bits
        return zip(values.tolist(), self._counts[steps].tolist(), strict=True)

    def add(self, other: Latencies) -> None:
        self._counts += other._counts
        self.below_zero += other.below_zero

    def _hdr(self) -> HdrHistogram:
        histogram = HdrHistogram(1, LATENCY_MAX_US, SIGNIFICANT_DIGITS)
        for value, count in self._recorded_us():
            histogram.record_value(value, count)
        return histogram

    def percentile_ms(self, percentile: float) -> float | None:
        """The latency that `percentile` (0 to 100) of the recorded ones do not exceed; None if there are none."""
        if self.count == 0:
            return None
        return self._percentiles_ms(percentile)[0]

    def summary(self) -> LatencyMs:
        if self.count == 0:
            return LatencyMs()
        p50, p90, p99, p999, highest = self._percentiles_ms(50, 90, 99, 99.9, 100)
        return LatencyMs(p50=p50, p90=p90, p99=p99, p999=p999, max=highest)

    def _percentiles_ms(self, *percentiles: float) -> list[float]:
        """As HdrHistogram.get_value_at_percentile has them.

        That takes 13 ms for these five, which the process that speaks has to wait for every second; this 0.1 ms.
        """
        up_to = self._counts.cumsum()
        targets = [max(1, int(percentile * int(up_to[-1]) / 100 + 0.5)) for percentile in percentiles]
        return [_highest_us(int(step)) / 1000 for step in up_to.searchsorted(targets)]

    def distribution(self) -> Iterator[tuple[float, float]]:
        """(latency in ms, share of all that were at most that long), one step for each value that was recorded."""
        so_far = 0
        histogram, count = self._hdr(), self.count
        for step in histogram.get_recorded_iterator():
            so_far += step.count_added_in_this_iter_step
            yield step.value_iterated_to / 1000, so_far / count

    def pack(self) -> bytes:
        """All of it, for another process of chatbench; costs less than `encode`."""
        (steps,) = self._counts.nonzero()
        return np.concatenate([[self.below_zero], steps, self._counts[steps]]).astype(np.int64).tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> Latencies:
        latencies = cls()
        below_zero, *rest = np.split(np.frombuffer(packed, dtype=np.int64), [1])
        steps, counts = rest[0].reshape(2, -1)
        latencies.below_zero = int(below_zero[0])
        latencies._counts[steps] = counts
        return latencies

    def encode(self) -> bytes:
        """HdrHistogram's own compressed form, readable by its other implementations."""
        return bytes(self._hdr().encode())

    @classmethod
    def decode(cls, encoded: bytes) -> Latencies:
        """As encode has made it, or another implementation. Raises ValueError for anything else."""
        latencies = cls()
        try:
            steps = [
                (step.value_iterated_to, step.count_added_in_this_iter_step)
                for step in HdrHistogram.decode(encoded).get_recorded_iterator()
            ]
            values, counts = np.array(steps, dtype=np.int64).reshape(-1, 2).T
        except UNREADABLE as problem:
            raise ValueError(f"it is no HDR histogram: {str(problem) or type(problem).__name__}") from problem
        if (counts < 0).any():
            raise ValueError("it is no HDR histogram: it counts less than nothing")
        latencies._record_us(values.clip(1, LATENCY_MAX_US), counts)
        return latencies

    def write_hgrm(self, path: Path) -> None:
        """The percentile distribution in milliseconds, in the text form that HDR plotters read."""
        out = io.BytesIO()
        histogram = self._hdr()
        histogram.output_percentile_distribution(out, 1000.0)
        # The library scales every figure to milliseconds but this one.
        deviation_ms = histogram.get_stddev() / 1000
        text = re.sub(r"(StdDeviation +=).*]", rf"\1 {deviation_ms:12.3f}]", out.getvalue().decode())
        path.write_text(text, encoding="utf-8")


def _highest_us(step: int) -> int:
    """The highest value that counts in this step."""
    spare_bits = max(step // HALF - 1, 0)
    return ((step - spare_bits * HALF + 1) << spare_bits) - 1
