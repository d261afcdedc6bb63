"""The slowest messages as a table, in which the largest stage of each stands out."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.units import figure_text
from harness.report.fitting import Column, Fitted
from harness.report.section import NOTHING
from harness.results.slowest import Slowest

FIRST = ("sent at, s", "room", "until the last member")


def title_of(slowest: Slowest) -> str:
    """What the table shows, and what it rests on."""
    share = {None: "", 1: ", which are all"}.get(slowest.one_in, f", one in {slowest.one_in}")
    rounds = "" if slowest.rounds == 1 else f", in {slowest.rounds} rounds"
    return f"{slowest.arch}: the {len(slowest.messages)} slowest of {slowest.traced:,} traced messages{share}{rounds}"


def head_of(slowest: Slowest) -> list[str]:
    """The names of the columns."""
    rounds = ["round"] if slowest.rounds > 1 else []
    errors = {name: f" ± {figure_text(error_ms)}" for name, error_ms in slowest.error_ms.items()}
    return [*rounds, *FIRST, *(name.replace("_", " ") + errors.get(name, "") for name in slowest.stages)]


def rows_of(slowest: Slowest) -> list[list[tuple[str, bool]]]:
    """A row for each message: the text of each cell, and whether it is the largest stage. Stages are in ms."""
    return [
        [
            *([(str(each.round), False)] if slowest.rounds > 1 else []),
            *((text, False) for text in (f"{each.sent_s:.3f}", each.room, _ms(each.total_ms))),
            *((_ms(each.stages_ms.get(name)), name == _largest(each.stages_ms)) for name in slowest.stages),
        ]
        for each in slowest.messages
    ]


def slowest_table(slowest: Slowest) -> Fitted:
    """The table for a terminal. Where there is no room, the stages that take the least are left out first."""
    head, rows = head_of(slowest), rows_of(slowest)
    sums_ms = {name: sum(each.stages_ms.get(name, 0.0) for each in slowest.messages) for name in slowest.stages}
    by_size = sorted(sums_ms, key=lambda name: sums_ms[name], reverse=True)
    spare = [*[0] * (len(head) - len(by_size)), *map(by_size.index, slowest.stages)]
    columns = [
        Column(name, [f"{'* ' if is_largest else ''}{text}" for text, is_largest in cells], right=True, spare=rank)
        for name, cells, rank in zip(head, _turned(rows), spare, strict=True)
    ]
    return Fitted(columns, f"{title_of(slowest)}. Stages in ms, * the largest.")


def _turned(rows: Sequence[Sequence[tuple[str, bool]]]) -> list[tuple[tuple[str, bool], ...]]:
    return list(zip(*rows, strict=True))


def _largest(stages_ms: dict[str, float]) -> str:
    return max(stages_ms, key=lambda name: stages_ms[name])


def _ms(value: float | None) -> str:
    # Adding zero makes 0.00 of -0.00: a recipient may hear a message just before its gateway notes that it is written.
    return NOTHING if value is None else f"{round(value, 2) + 0.0:,.2f}"
