"""Latencies in HDR histograms: recorded in microseconds, reported in milliseconds, with three significant digits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

from harness.measure.hgrm import percentile_distribution

LATENCY_MAX_US = 600_000_000  # ten minutes; longer latencies are recorded as ten minutes
SIGNIFICANT_DIGITS = 3
# For three significant digits, an HDR histogram keeps the 11 highest bits of a value.
SIGNIFICANT_BITS = 11
# The library raises these for bytes that are truncated, or not a histogram.
DECODE_ERRORS = (
    *(HdrCookieException, HdrLengthException, HdrHistogramSettingsException, zlib.error),
    *(ValueError, TypeError, IndexError, OverflowError, AttributeError, ZeroDivisionError, MemoryError),
)
SUBBUCKETS_HALF = 1 << (SIGNIFICANT_BITS - 1)
STEPS = (LATENCY_MAX_US.bit_length() - SIGNIFICANT_BITS + 2) * SUBBUCKETS_HALF


class LatencyMs(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds, as they are in summary.json (contract). None means not measured."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Latencies:
    """A histogram of latencies that records whole batches. Merge histograms with `add`; never average percentiles.

    The counts are in one array, with the buckets of an HDR histogram. The library's own histogram is made from it only
    when it is needed, which is rare.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(STEPS, dtype=np.int64)
        self.below_zero = 0  # latencies that were negative because a clock was stepped; they are recorded as 1 us

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    def record_ns(self, latencies_ns: npt.ArrayLike, counts: npt.ArrayLike = 1) -> None:
        """Record a batch: a one-dimensional array of latencies in ns, each so many times.

        Negative ones also count in `below_zero`.
        """
        in_us = np.asarray(latencies_ns, dtype=np.int64) // 1000
        if (negative := in_us < 0).any():
            self.below_zero += int((negative * np.asarray(counts)).sum())
        self._record_us(in_us.clip(1, LATENCY_MAX_US), counts)

    def _record_us(self, in_us: npt.NDArray[np.int64], counts: npt.ArrayLike = 1) -> None:
        spare_bits = np.maximum(np.log2(in_us).astype(np.int64) - SIGNIFICANT_BITS + 1, 0)
        np.add.at(self._counts, spare_bits * SUBBUCKETS_HALF + (in_us >> spare_bits), counts)

    def recorded_ms(self) -> dict[float, int]:
        """Return the count of each recorded latency; the keys are in ms, rounded to the histogram's precision."""
        return {value_us / 1000: count for value_us, count in self._recorded_us()}

    def _recorded_us(self) -> Iterator[tuple[int, int]]:
        (steps,) = self._counts.nonzero()
        return zip(_lowest_us(steps).tolist(), self._counts[steps].tolist(), strict=True)

    def add(self, other: Latencies) -> None:
        self._counts += other._counts
        self.below_zero += other.below_zero

    def _hdr(self) -> HdrHistogram:
        histogram = HdrHistogram(1, LATENCY_MAX_US, SIGNIFICANT_DIGITS)
        for value, count in self._recorded_us():
            histogram.record_value(value, count)
        return histogram

    def percentile_ms(self, percentile: float) -> float | None:
        """Return the latency in ms that `percentile` percent (0 to 100) of the recorded latencies do not exceed.

        None means that nothing was recorded.
        """
        if self.count == 0:
            return None
        return self._percentiles_ms(percentile)[0]

    def summary(self) -> LatencyMs:
        if self.count == 0:
            return LatencyMs()
        p50, p90, p99, p999, highest = self._percentiles_ms(50, 90, 99, 99.9, 100)
        return LatencyMs(p50=p50, p90=p90, p99=p99, p999=p999, max=highest)

    def _percentiles_ms(self, *percentiles: float) -> list[float]:
        """Return the same values as HdrHistogram.get_value_at_percentile, in ms.

        The library takes 13 ms for five percentiles, and would delay the process that sends every second. This takes
        0.1 ms.
        """
        up_to = self._counts.cumsum()
        targets = [max(1, int(percentile * int(up_to[-1]) / 100 + 0.5)) for percentile in percentiles]
        return [value_us / 1000 for value_us in _highest_us(up_to.searchsorted(targets)).tolist()]

    def distribution(self) -> Iterator[tuple[float, float]]:
        """Yield (latency in ms, share of all latencies that are at most that), once for each recorded value."""
        (steps,) = self._counts.nonzero()
        up_to = self._counts[steps].cumsum()
        yield from zip((_highest_us(steps) / 1000).tolist(), (up_to / self.count).tolist(), strict=True)

    def pack(self) -> bytes:
        """Serialize the histogram for another process of chatbench; this is cheaper than `encode`."""
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
        """Serialize to HdrHistogram's compressed format, which its implementations in other languages can read."""
        return bytes(self._hdr().encode())

    @classmethod
    def decode(cls, encoded: bytes) -> Latencies:
        """Read a histogram in HdrHistogram's compressed format; raises ValueError for anything else."""
        latencies = cls()
        try:
            histogram = HdrHistogram.decode(encoded)
            every = np.asarray(histogram.counts, dtype=np.int64)
            (places,) = every.nonzero()
            values = np.array([_highest_at(place, histogram) for place in places.tolist()], dtype=np.int64)
            counts = every[places]
        except DECODE_ERRORS as problem:
            raise ValueError(f"it is not an HDR histogram: {str(problem) or type(problem).__name__}") from problem
        if (counts < 0).any():
            raise ValueError("it is not an HDR histogram: it has negative counts")
        latencies._record_us(values.clip(1, LATENCY_MAX_US), counts)
        return latencies

    def write_hgrm(self, path: Path) -> None:
        """Write the percentile distribution in milliseconds, in the text format (.hgrm) that HDR plotters read."""
        (steps,) = self._counts.nonzero()
        text = percentile_distribution(_highest_us(steps), _middle_us(steps), self._counts[steps])
        path.write_text(text, encoding="utf-8")


def _highest_at(place: int, histogram: HdrHistogram) -> int:
    """Return the highest value that the library counts there.

    Its own iterator stops at each of 20,000 places, and its own functions search for the place of a value again.
    """
    bucket: int = max((place >> histogram.sub_bucket_half_count_magnitude) - 1, 0)
    in_bucket: int = place - bucket * histogram.sub_bucket_half_count
    spare_bits: int = bucket + histogram.unit_magnitude
    return ((in_bucket + 1) << spare_bits) - 1


def _spare_bits(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many of the lowest bits of a value do not matter in these buckets."""
    return np.maximum(steps // SUBBUCKETS_HALF - 1, 0)


def _lowest_us(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the lowest value that is counted in each of these buckets, in microseconds."""
    spare_bits = _spare_bits(steps)
    return (steps - spare_bits * SUBBUCKETS_HALF) << spare_bits


def _middle_us(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return _lowest_us(steps) + ((1 << _spare_bits(steps)) >> 1)


def _highest_us(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return _lowest_us(steps) + (1 << _spare_bits(steps)) - 1
