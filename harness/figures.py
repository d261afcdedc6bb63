"""Figures as people read them."""

from __future__ import annotations


def figure_text(value: float) -> str:
    """Three digits, and never less than the whole number; no exponent for what is large."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
