"""docs/diagrams/: the way of one message through each architecture, as its topology goes it.

python -m harness.documents.diagrams
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from architectures.interface import Topology
from architectures.kafka_client import partition_count
from architectures.partitions import partition_of
from harness.report.style import INK, SHADE, chart, colours_of, save

FOLDER = Path(__file__).parents[2] / "docs" / "diagrams"
SHAPE = Topology(run_id="diagram", gateways=3)
ROOM = "final"
ANYWHERE = (0, 2)  # the gateways that members of the room are connected to, where any will do
SENDER = 0
STEP_INCHES = (1.3, 0.87)  # from one place to the next
BOX = (0.7, 0.62)  # width and height, in steps
MUTED = "#999999"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message can be: `column` from left to right, `row` from top to bottom."""

    column: int
    row: float
    name: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """`wasted`: nobody there wants it."""

    start: Place
    end: Place
    wasted: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Each list of arrows is one of the amounts that harness.costs.workload counts."""

    sent: list[Arrow]  # from the sender to the gateway that takes it
    records: list[Arrow]
    fetches: list[Arrow]
    commands: list[Arrow]
    copies: list[Arrow]
    heard: list[Arrow]
    unreached: list[Place]  # gateways whose members of the room hear nothing
    idle: list[Place]  # what is there, too


EVERY_GATEWAY = range(SHAPE.gateways)
EVERY_PARTITION = range(partition_count(SHAPE))
OF_THE_ROOM = partition_of(ROOM, len(EVERY_PARTITION))  # and of the gateway that owns it, with a partition each


def _sender(column: int = 0) -> Place:
    return Place(column, 1, "sender")


def _gateway(number: int, column: int) -> Place:
    return Place(column, number, f"gateway {number}")


def _partition(number: int) -> Place:
    return Place(2, number, f"partition {number}")


def _members(number: int, column: int) -> Place:
    return Place(column, number, "members")


def _through_kafka(
    taken_by: int, written: list[int], read: list[tuple[int, int]], listening: tuple[int, ...]
) -> Diagram:
    """`written`: to which partitions; `read`: from which of them by which gateway; `listening`: whose members wait."""
    arrives = {gateway for _partition_read, gateway in read}
    return Diagram(
        sent=[Arrow(_sender(), _gateway(taken_by, 1))],
        records=[Arrow(_gateway(taken_by, 1), _partition(number)) for number in written],
        fetches=(fetched := [Arrow(_partition(p), _gateway(g, 3), g not in listening) for p, g in read]),
        commands=[],
        copies=fetched,
        heard=[Arrow(_gateway(number, 3), _members(number, 4)) for number in listening if number in arrives],
        unreached=[_members(number, 4) for number in listening if number not in arrives],
        idle=[*map(_partition, EVERY_PARTITION), *(_gateway(number, 3) for number in EVERY_GATEWAY)],
    )


def _plan1() -> Diagram:
    own = [
        (partition, gateway) for gateway in EVERY_GATEWAY for partition in EVERY_PARTITION[gateway :: SHAPE.gateways]
    ]
    return _through_kafka(SENDER, list(EVERY_PARTITION), own, ANYWHERE)


def _plan2() -> Diagram:
    return _through_kafka(OF_THE_ROOM, [OF_THE_ROOM], [(OF_THE_ROOM, OF_THE_ROOM)], (OF_THE_ROOM,))


def _kafka_broadcast() -> Diagram:
    return _through_kafka(SENDER, [OF_THE_ROOM], [(OF_THE_ROOM, gateway) for gateway in EVERY_GATEWAY], ANYWHERE)


def _naive() -> Diagram:
    # Any partition may get it; this one shows who is left out.
    return _through_kafka(SENDER, [ANYWHERE[0]], [(ANYWHERE[0], ANYWHERE[0])], ANYWHERE)


def _redis() -> Diagram:
    channel = Place(2, 1, f"channel {ROOM}")
    return Diagram(
        sent=[Arrow(_sender(), _gateway(SENDER, 1))],
        records=[],
        fetches=[],
        commands=[Arrow(_gateway(SENDER, 1), channel)],
        copies=[Arrow(channel, _gateway(number, 3)) for number in ANYWHERE],
        heard=[Arrow(_gateway(number, 3), _members(number, 4)) for number in ANYWHERE],
        unreached=[],
        idle=[_gateway(number, 3) for number in EVERY_GATEWAY],
    )


def _kafka_redis() -> Diagram:
    relay, channel = Place(3, OF_THE_ROOM, f"relay {OF_THE_ROOM}"), Place(4, 1, f"channel {ROOM}")
    return Diagram(
        sent=[Arrow(_sender(), _gateway(SENDER, 1))],
        records=[Arrow(_gateway(SENDER, 1), _partition(OF_THE_ROOM))],
        fetches=[Arrow(_partition(OF_THE_ROOM), relay)],
        commands=[Arrow(relay, channel)],
        copies=[Arrow(channel, _gateway(number, 5)) for number in ANYWHERE],
        heard=[Arrow(_gateway(number, 5), _members(number, 6)) for number in ANYWHERE],
        unreached=[],
        idle=[
            *map(_partition, EVERY_PARTITION),
            *(Place(3, number, f"relay {number}") for number in EVERY_GATEWAY),
            *(_gateway(number, 5) for number in EVERY_GATEWAY),
        ],
    )


def _direct() -> Diagram:
    return Diagram(
        sent=[Arrow(_sender(), Place(1, 1, "the gateway"))],
        records=[],
        fetches=[],
        commands=[],
        copies=[],
        heard=[Arrow(Place(1, 1, "the gateway"), _members(1, 2))],
        unreached=[],
        idle=[],
    )


DIAGRAMS: dict[str, Callable[[], Diagram]] = {
    "plan1": _plan1,
    "plan2": _plan2,
    "redis": _redis,
    "kafka-redis": _kafka_redis,
    "kafka-broadcast": _kafka_broadcast,
    "naive": _naive,
    "direct": _direct,
}


def drawn(name: str) -> Figure:
    """Boxes for what is there, arrows for what moves; dashed where nobody wants it."""
    diagram, colour = DIAGRAMS[name](), colours_of([name])[name]
    arrows = list(_arrows(diagram))
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


def _arrows(diagram: Diagram) -> Iterator[Arrow]:
    for some in (diagram.sent, diagram.records, diagram.fetches, diagram.commands, diagram.copies, diagram.heard):
        yield from some


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
    for name in DIAGRAMS:
        save(drawn(name), FOLDER, name)


if __name__ == "__main__":
    main()
