"""Figures as people read them."""

import pytest

from harness.figures import cost_text, figure_text


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
