"""Tables that fit the window.

Prose is folded. If that is not enough, the less important columns are left out and named below the table; and if the
table is still too wide, each row becomes a paragraph. Names and figures are never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

BETWEEN_COLUMNS = 2
READABLE = 24  # the narrowest column in which prose is readable
INDENT = 2


class Column:
    """A column with its head and its cells from top to bottom. Strings are shown literally, without markup."""

    def __init__(
        self,
        head: str,
        cells: Iterable[str | Text],
        *,
        right: bool = False,  # aligned to the right, for figures
        folds: bool = False,  # prose: broken between words, or within a word that is longer than the column
        spare: int = 0,  # 0: always shown; others are left out if there is no room, the highest first
    ) -> None:
        self.head = head
        self.cells = [cell if isinstance(cell, Text) else Text(cell) for cell in cells]
        self.right = right
        self.folds = folds
        self.spare = spare
        lines = [line for cell in self.cells for line in cell.split("\n")]
        longest = _longest(lines)
        # The narrowest possible width, and the width with nothing folded.
        self.least = max(min(READABLE, longest) if folds else longest, _longest(Text(head).split(" ")))
        self.most = max(longest, len(head))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that adapts to the width of the window; `styles` has one style for each row."""

    columns: Sequence[Column]
    title: str = ""
    styles: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown = list(self.columns)
        while _least(shown) > options.max_width and any(column.spare for column in shown):
            shown.remove(max(shown, key=lambda column: column.spare))
        styles = self.styles or [""] * len(shown[0].cells)
        if self.title:
            yield Text(self.title, style="italic", overflow="fold")
        if _least(shown) <= options.max_width:
            yield _table(shown, options.max_width, styles)
        else:
            yield from _paragraphs(shown, styles)
        if out := [column.head for column in self.columns if column not in shown]:
            yield Text(f"In a wider window also: {'; '.join(out)}.", style="dim", overflow="fold")


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + BETWEEN_COLUMNS * (len(columns) - 1)


def _table(columns: Sequence[Column], width: int, styles: Sequence[str]) -> Table:
    widths = _shared_out(columns, width - _least(columns))
    folded = [row for row in range(len(styles)) if any(map(partial(_folds, row), columns, widths))]
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, BETWEEN_COLUMNS - 1, 0, 0),
        leading=1 if 2 * len(folded) > len(styles) else 0,
    )
    for column, given in zip(columns, widths, strict=True):
        table.add_column(column.head, justify="right" if column.right else "left", width=given, overflow="fold")
    for style, *cells in zip(styles, *(column.cells for column in columns), strict=True):
        table.add_row(*cells, style=style)
    return table


def _folds(row: int, column: Column, width: int) -> bool:
    return _longest(column.cells[row].split("\n")) > width


def _shared_out(columns: Sequence[Column], room: int) -> list[int]:
    """The widths of the columns: each gets an equal share of the room, or what it needs if that is less."""
    widths = [column.least for column in columns]
    needs = sorted((column.most - column.least, place) for place, column in enumerate(columns))
    for already, (need, place) in enumerate(needs):
        given = min(need, room // (len(needs) - already))
        widths[place] += given
        room -= given
    return widths


def _paragraphs(columns: Sequence[Column], styles: Sequence[str]) -> Iterator[RenderableType]:
    """A paragraph for each row. Its heading is the first cell and those without a head; empty cells are left out."""
    first, *others = columns
    for row, style in enumerate(styles):
        heading = Text(first.cells[row].plain, style or "bold", overflow="fold")
        yield heading.append_text(Text("  ").join([Text(""), *(each.cells[row] for each in others if not each.head)]))
        for column in others:
            if column.head and column.cells[row].plain.strip() not in ("", "-"):
                line = Text(f"{column.head}: ", style=style, overflow="fold")
                yield Padding(line.append_text(column.cells[row]), (0, 0, 0, INDENT))


def _longest(texts: Iterable[Text]) -> int:
    return max((text.cell_len for text in texts), default=0)
