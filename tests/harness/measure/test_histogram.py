import io
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.histogram import LATENCY_MAX_US, SIGNIFICANT_DIGITS, Latencies, LatencyMs

LATENCIES_NS = st.lists(st.integers(1_000, LATENCY_MAX_US * 1000), min_size=1, max_size=300)


def of(latencies_ns: list[int]) -> Latencies:
    latencies = Latencies()
    latencies.record_ns(latencies_ns)
    return latencies


@given(LATENCIES_NS, st.sampled_from([0.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_right_to_three_digits(latencies_ns: list[int], percentile: float) -> None:
    measured = of(latencies_ns).percentile_ms(percentile)
    rank = max(1, int(percentile / 100 * len(latencies_ns) + 0.5))  # the histogram's own rounding of the rank
    true_ns = sorted(latencies_ns)[rank - 1]
    assert measured == pytest.approx(true_ns / 1e6, rel=1.1e-3, abs=1.1e-3)


@given(LATENCIES_NS, LATENCIES_NS)
def test_merging_is_the_same_as_recording_together(one: list[int], other: list[int]) -> None:
    merged = of(one)
    merged.add(of(other))
    assert merged.summary() == of(one + other).summary()
    assert merged.count == len(one) + len(other)


def test_nothing_recorded_is_not_measured_and_not_zero() -> None:
    assert Latencies().summary() == LatencyMs(None, None, None, None, None)
    assert Latencies().percentile_ms(50) is None
    assert Latencies.decode(Latencies().encode()).count == 0


def test_no_latency_is_dropped_at_either_end() -> None:
    latencies = of([0, -5_000_000, (LATENCY_MAX_US + 1_000_000) * 1000])
    assert latencies.count == 3
    assert latencies.below_zero == 1


def test_the_hgrm_file_is_in_milliseconds_throughout(tmp_path: Path) -> None:
    path = tmp_path / "latency.hgrm"
    of([1_000_000] * 99 + [101_000_000]).write_hgrm(path)
    text = path.read_text()
    assert "TotalCount     =      100.000]" in text
    assert "#[Mean    =        2.0" in text
    assert "StdDeviation   =        9.9" in text


def in_library(latencies_ns: list[int]) -> HdrHistogram:
    library = HdrHistogram(1, LATENCY_MAX_US, SIGNIFICANT_DIGITS)
    for latency_ns in latencies_ns:
        library.record_value(min(max(latency_ns // 1000, 1), LATENCY_MAX_US))
    return library


@pytest.mark.slow
@settings(max_examples=10)
@given(st.one_of(st.just([]), LATENCIES_NS))
def test_the_hgrm_file_is_that_of_the_hdr_histogram_library(
    tmp_path_factory: pytest.TempPathFactory, latencies_ns: list[int]
) -> None:
    path = tmp_path_factory.mktemp("hgrm") / "latency.hgrm"
    of(latencies_ns).write_hgrm(path)
    library, expected = in_library(latencies_ns), io.BytesIO()
    library.output_percentile_distribution(expected, 1000.0)
    deviation = f"{library.get_stddev():12.3f}"  # in microseconds; the library scales all other figures
    in_ms = f"{library.get_stddev() / 1000:12.3f}"
    assert path.read_text() == expected.getvalue().decode().replace(
        f"StdDeviation   = {deviation}", f"StdDeviation   = {in_ms}"
    )


@settings(max_examples=10)
@given(LATENCIES_NS)
def test_the_distribution_is_that_of_the_hdr_histogram_library(latencies_ns: list[int]) -> None:
    steps, so_far = [], 0
    for step in in_library(latencies_ns).get_recorded_iterator():
        so_far += step.count_added_in_this_iter_step
        steps.append((step.value_iterated_to / 1000, so_far / len(latencies_ns)))
    assert list(of(latencies_ns).distribution()) == steps


@settings(max_examples=30)
@given(LATENCIES_NS)
def test_nothing_is_lost_on_the_way_to_another_process_or_into_the_record(latencies_ns: list[int]) -> None:
    latencies = of([-5, *latencies_ns])
    unpacked, decoded = Latencies.unpack(latencies.pack()), Latencies.decode(latencies.encode())
    assert unpacked.summary() == decoded.summary() == latencies.summary()
    assert unpacked.recorded_ms() == decoded.recorded_ms() == latencies.recorded_ms()
    assert unpacked.below_zero == 1


@given(LATENCIES_NS, st.floats(0.001, 100))
def test_percentiles_are_those_of_the_hdr_histogram_library(latencies_ns: list[int], percentile: float) -> None:
    latencies, library = of(latencies_ns), in_library(latencies_ns)
    assert latencies.percentile_ms(percentile) == library.get_value_at_percentile(percentile) / 1000
    assert latencies.summary().max == library.get_max_value() / 1000
