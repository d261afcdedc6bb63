"""docs/diagrams/: the way of one message through each architecture, as its topology goes it.

python -m tools.docs.diagrams
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from architectures.interface import Topology
from architectures.routes import WAYS, Arrow, Place, Scene, way_of
from harness.report.style import INK, SHADE, chart, colours_of, save

FOLDER = Path(__file__).parents[2] / "docs" / "diagrams"
SHAPE = Topology(run_id="diagram", gateways=3)
ROOM = "final"
ANYWHERE = (0, 2)  # the gateways that members of the room are connected to, where any will do
SENDER = 0
STEP_INCHES = (1.3, 0.87)  # from one place to the next
BOX = (0.7, 0.62)  # width and height, in steps
MUTED = "#999999"


SCENE = Scene(SHAPE, ROOM, SENDER, ANYWHERE)
SHOWN = [name for name in WAYS if name != "faulty"]  # which goes as direct


def drawn(name: str) -> Figure:
    """Boxes for what is there, arrows for what moves; dashed where nobody wants it."""
    diagram, colour = way_of(name, SCENE), colours_of([name])[name]
    arrows = list(diagram.arrows())
    used = {place for arrow in arrows for place in (arrow.start, arrow.end)}
    places = used | set(diagram.idle) | set(diagram.unreached)
    columns = 1 + max(place.column for place in places)
    width, height = STEP_INCHES
    with chart((width * columns, height * SHAPE.gateways)) as (figure, axes):
        for place in sorted(used):
            _draw_box(axes, place, place.name.replace(" ", "\n"), (colour, INK, "-"))
        for place in sorted(set(diagram.idle) - used):
            _draw_box(axes, place, place.name.replace(" ", "\n"), (MUTED, MUTED, "-"))
        for place in diagram.unreached:
            _draw_box(axes, place, f"{place.name}\nhear nothing", ("red", "red", ":"))
        for arrow in arrows:
            _draw_arrow(axes, arrow, MUTED if arrow.wasted else colour)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(SHAPE.gateways - 0.5, -0.5)  # downwards
        axes.axis("off")
        return figure


def _draw_box(axes: Axes, place: Place, text: str, style: tuple[str, str, str]) -> None:
    """`style`: the colours of line and text, and how the line is drawn."""
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
