"""A figure as the cell of a table, or `not measured`."""

from __future__ import annotations

NOT_MEASURED = "not measured"


def count_text(count: int | None) -> str:
    return NOT_MEASURED if count is None else f"{count:,}"


def number_cell(value: float | None, form: str) -> str:
    return NOT_MEASURED if value is None else format(value, form)


def share_text(part: int | None, whole: int | None) -> str:
    if part is None or not whole:
        return count_text(part)
    return f"{part:,} = {part / whole:.2%}" if part else "0"
