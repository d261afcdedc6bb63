"""Figures as people read them."""

import pytest

from harness.figures import figure_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (2.5, "2.5"), (99.94, "99.9"), (100, "100"), (1234.5, "1,234"), (-1500, "-1,500")],
)
def test_a_figure_has_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert figure_text(value) == text
