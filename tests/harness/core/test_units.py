"""Figures as text for people."""

import pytest

from harness.core.units import cost_text, duration_text, figure_text, number_text, parse_utc, size_text, utc_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (2.5, "2.5"), (99.94, "99.9"), (100, "100"), (1234.5, "1,234"), (-1500, "-1,500")],
)
def test_a_figure_has_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert figure_text(value) == text


@pytest.mark.parametrize(
    ("value", "resolution", "text"),
    [
        (1234.56, 0.0, "1,234.6"),
        (0.62, 0.0, "0.6"),
        (0.0421, 0.0, "0.042"),
        (0.0, 0.0, "0"),
        (0.0, 3.25, "< 3.2"),
        (2.0, 3.25, "< 3.2"),
        (4.0, 3.25, "4.0"),
        (0.0, 0.02, "< 0.02"),
    ],
)
def test_a_small_cost_is_never_told_as_none(value: float, resolution: float, text: str) -> None:
    assert cost_text(value, resolution) == text


@pytest.mark.parametrize(
    ("text", "as_people_write_it"),
    [
        (number_text(10_000_000), "10,000,000"),
        (number_text(0.1), "0.1"),
        (number_text(2.5e9), "2,500,000,000"),
        (number_text(1e29), "1e+29"),
        (duration_text(3600), "1h"),
        (duration_text(5400), "90m"),
        (duration_text(0.02), "20ms"),
        (duration_text(0), "0s"),
        (duration_text(1.5), "1.5s"),
        (size_text(64 * 1024), "64KiB"),
        (size_text(100e6), "95.4MiB"),
        (size_text(1), "1 byte"),
    ],
)
def test_what_is_refused_is_told_in_peoples_units(text: str, as_people_write_it: str) -> None:
    assert text == as_people_write_it


def test_a_moment_as_text_is_exact_to_the_microsecond() -> None:
    now_ns = 1_795_896_783_491_175_999
    assert utc_text(now_ns) == "2026-11-28T20:13:03.491175+00:00"
    assert parse_utc(utc_text(now_ns)) == now_ns - 999
    assert parse_utc("2026-11-28T16:04:57+00:00") == 1_795_881_897_000_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-28T16:04:57"])
def test_a_text_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"zone|isoformat"):
        parse_utc(text)
