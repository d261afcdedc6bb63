"""Figures as text for people."""

import pytest

from harness.core.units import cost_text, duration_text, figure_text, number_text, size_text


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
