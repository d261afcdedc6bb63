"""Generates docs/diagrams/: the route of one message through each architecture.

python -m tools.docs.diagrams
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from architectures.interface import Role
from architectures.routes import Arrow, Place, Scene
from harness.core.registry import architecture_names, load_architecture
from harness.report.style import INK, SHADE, chart, colours_of, save

FOLDER = Path(__file__).parents[2] / "docs" / "diagrams"
SCENE = Scene(gateways=3, partitions=3, room="final", sender=0, listening=(0, 2))
STEP_INCHES = (1.3, 0.87)  # distance between neighbouring places
BOX = (0.7, 0.62)  # width and height, in steps
MUTED = "#999999"
# Plug-ins are included. Calibration architectures are left out, because they have the route of another one.
SHOWN = [name for name in architecture_names() if load_architecture(name).role is not Role.CALIBRATION]


def drawn(name: str) -> Figure:
    """Draw the route: boxes are processes and partitions, arrows are copies, and wasted copies are dashed."""
    diagram, colour = load_architecture(name).route(SCENE), colours_of([name])[name]
    arrows = list(diagram.arrows())
    used = {place for arrow in arrows for place in (arrow.start, arrow.end)}
    places = used | set(diagram.idle) | set(diagram.unreached)
    columns = 1 + max(place.column for place in places)
    width, height = STEP_INCHES
    with chart((width * columns, height * SCENE.gateways)) as (figure, axes):
        for place in sorted(used):
            _draw_box(axes, place, place.name.replace(" ", "\n"), (colour, INK, "-"))
        for place in sorted(set(diagram.idle) - used):
            _draw_box(axes, place, place.name.replace(" ", "\n"), (MUTED, MUTED, "-"))
        for place in diagram.unreached:
            _draw_box(axes, place, f"{place.name}\nhear nothing", ("red", "red", ":"))
        for arrow in arrows:
            _draw_arrow(axes, arrow, MUTED if arrow.wasted else colour)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(SCENE.gateways - 0.5, -0.5)  # downwards
        axes.axis("off")
        return figure


def _draw_box(axes: Axes, place: Place, text: str, style: tuple[str, str, str]) -> None:
    """Draw one box. `style` has the colours of line and text, and the line style."""
    (width, height), (line, ink, linestyle) = BOX, style
    axes.add_patch(
        FancyBboxPatch(
            (place.column - width / 2, place.row - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=SHADE,
            edgecolor=line,
            linestyle=linestyle,
            linewidth=1.2,
        )
    )
    axes.text(place.column, place.row, text, ha="center", va="center", fontsize=9, color=ink)


def _draw_arrow(axes: Axes, arrow: Arrow, colour: str) -> None:
    half = BOX[0] / 2
    axes.annotate(
        "",
        xy=(arrow.end.column - half, arrow.end.row),
        xytext=(arrow.start.column + half, arrow.start.row),
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.6,
            "linestyle": "--" if arrow.wasted else "-",
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def main() -> None:
    for name in SHOWN:
        save(drawn(name), FOLDER, name)


if __name__ == "__main__":
    main()
