"""Figures as people read them."""

from __future__ import annotations


def figure_text(value: float) -> str:
    """Three digits, and never less than the whole number; no exponent for what is large."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cost_text(value: float, resolution: float = 0.0) -> str:
    """One digit after the point; of less than a tenth two digits, and of less than can be told, how much that is."""
    if value < resolution:
        return f"< {cost_text(resolution)}"
    return f"{value:,.1f}" if value >= 0.1 else f"{value:.2g}"
