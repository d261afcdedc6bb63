from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from harness.report.fitting import Column, Fitted

NAMES = st.lists(st.from_regex(r"\[[a-z0-9:_-]{1,16}\]", fullmatch=True), min_size=1, max_size=5)


def printed(table: Fitted, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False).print(table)
    return out.getvalue()


@given(NAMES, st.integers(min_value=1, max_value=6), st.integers(min_value=20, max_value=200))
def test_in_every_window_no_line_is_too_long_and_no_name_or_figure_is_cut(
    names: list[str], figures: int, width: int
) -> None:
    columns = [
        Column("architecture", names),
        *(Column(f"figure {number}", [f"{number},000.5"] * len(names), right=True) for number in range(figures)),
        Column("why", ["prose that may be folded between any two of its words"] * len(names), folds=True),
        Column("beside", ["not needed by everybody"] * len(names), spare=1),
    ]
    text = printed(Fitted(columns, title="a load"), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    words = text.split()
    assert [word for word in words if word in names][: len(names)] == names
    assert words.count("0,000.5") == len(names)
    assert text.count("beside") == 1 or "beside: not needed" in " ".join(words), "shown, or named below"


@pytest.mark.parametrize("width", [60, 200])
def test_a_string_is_taken_as_it_is_and_a_text_keeps_its_style(width: int) -> None:
    columns = [Column("", ["[v1]"]), Column("verdict", [Text("held", style="green")])]
    assert "[v1]" in printed(Fitted(columns), width)
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system="standard").print(Fitted(columns))
    assert "\x1b[32mheld" in out.getvalue()


def test_where_a_row_has_no_room_it_becomes_a_paragraph_without_what_is_empty() -> None:
    names = ["kafka-broadcast", "redis"]
    table = Fitted(
        [Column("architecture", names), Column("options", ["acks=all, replicas=3", "-"]), Column("", ["ok", "look"])]
    )
    lines = [line.rstrip() for line in printed(table, 30).splitlines()]
    assert lines == ["kafka-broadcast  ok", "  options: acks=all,", "  replicas=3", "redis  look"]


def test_what_is_spared_first_is_what_matters_least() -> None:
    table = Fitted([Column("name", ["a"]), Column("second", ["b" * 20], spare=1), Column("third", ["c" * 20], spare=2)])
    text = printed(table, 40)
    assert "b" * 20 in text
    assert "c" * 20 not in text
    assert "In a wider window also: third." in text
