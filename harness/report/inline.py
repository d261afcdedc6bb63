"""Charts as part of a page: SVG that follows light or dark mode, and whose values can be pointed at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from harness.report.style import GRID, IN_THE_DARK, INK, SHADE, SOFT, save

VARIABLES = {INK: "ink", SOFT: "soft", GRID: "grid", SHADE: "shade", **{light: light[1:] for light in IN_THE_DARK}}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart on the page, or a sentence in its place."""

    id: str
    svg: Markup | None
    instead: str = ""


def on_page(drawn: Figure, folder: Path, name: str) -> Chart:
    """Save the chart as files, and return it for the page."""
    return Chart(name, _inline(save(drawn, folder, name), name, drawn.get_suptitle().replace("\n", " ")))


def _inline(svg: Path, name: str, title: str) -> Markup:
    """The SVG as an element. Its ids are unique on the page, and its colours are the page's variables."""
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    label = f'role="group" aria-roledescription="chart" aria-label="{escape(title)}"'
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', lambda found: f"{found[1]} {label}", text, count=1)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\1{name}-", text)
    for fixed, variable in VARIABLES.items():
        text = re.sub(fixed, f"var(--{variable})", text, flags=re.IGNORECASE)
    return Markup(text)  # noqa: S704 - drawn by matplotlib a moment ago, which escapes what it writes
