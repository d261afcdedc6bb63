"""Logs of real traffic are read: every good row counts, and no bad row ends it."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.core.errors import UsageError
from harness.experiments.costs.trace_file import COLUMNS, TraceLog, bad_text, parse_columns, read_trace

HEADER = "time,room,member"
NOON_S = 1_764_331_200.0  # 2025-11-28 12:00 UTC


def read(text: str | bytes, *columns: str) -> TraceLog:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_trace(file, parse_columns(columns))


def rows(*lines: str, header: str = HEADER) -> TraceLog:
    return read("\n".join([header, *lines]))


def bad(log: TraceLog) -> dict[str, tuple[int, list[int]]]:
    return {each.why: (each.rows, each.first_lines) for each in log.bad}


@pytest.mark.parametrize(
    "time",
    [
        "1764331200",
        "1764331200.0",
        "1764331200000",
        "1764331200000000",
        "1764331200000000000",
        "2025-11-28T12:00:00Z",
        "2025-11-28T12:00:00",
        "2025-11-28 12:00:00 UTC",
        "2025-11-28T13:00:00+01:00",
        "2025-11-28 12:00:00.000",
    ],
)
def test_a_time_is_epoch_in_any_usual_unit_or_iso(time: str) -> None:
    assert rows(f"{time},r,m").time_s.tolist() == [NOON_S]


@given(
    moment=some.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2200, 1, 1)),
    hours=some.integers(-12, 14),
)
def test_every_iso_time_and_its_epochs_are_the_same(moment: datetime, hours: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    epoch_us = (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    log = rows(f"{there.isoformat()},r,m", f"{epoch_us / 1e6:.6f},r,m", f"{epoch_us / 1e3:.3f},r,m", f"{epoch_us},r,m")
    assert np.ptp(log.time_s) < 1e-5
    assert log.bad == []


NAMES = some.text(some.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda name: bool(name.strip()))
MESSAGES = some.lists(
    some.tuples(some.floats(0, 4e9), NAMES, NAMES, some.integers(0, 10_000), some.text(max_size=20)), min_size=1
)


def as_csv(messages: Sequence[tuple[object, ...]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["time", "room", "member", "bytes", "text"])
    writer.writerows(messages)
    return text.getvalue()


@given(messages=MESSAGES, delimiter=some.sampled_from(",;\t|"))
def test_whatever_is_written_as_csv_is_read_again(
    messages: list[tuple[float, str, str, int, str]], delimiter: str
) -> None:
    log = read(as_csv(messages, delimiter))
    assert log.bad == []
    assert sorted(log.time_s.tolist()) == sorted(message[0] for message in messages) == log.time_s.tolist()
    assert sorted(log.payload_bytes.tolist()) == sorted(message[3] for message in messages)
    members = {(message[1].strip(), message[2].strip()) for message in messages}
    rooms = {room for room, _ in members}
    assert len(log.known_members) == len(rooms)
    assert log.known_members.sum() == len(members)
    assert np.isnan(log.listeners).all()


@given(garbage=some.lists(some.binary(max_size=60), max_size=30))
def test_no_garbage_ends_the_reading(garbage: list[bytes]) -> None:
    lines = [b"1764331200,r,m", *garbage, b'"', b"1764331201,r,m"]
    log = read(b"\n".join([HEADER.encode(), b"1764331200,r,m", *lines]))
    assert len(log.time_s) >= 2, "of the rows before the garbage"


def test_bad_rows_are_counted_and_named_with_their_first_lines() -> None:
    log = rows("yesterday,r,m", "1,r,m", "nan,r,m", "", "-5,r,m", "1, ,m", "1,r,", "1,r", "1,r,m,x", *4 * ["soon,r,m"])
    assert len(log.time_s) == 1
    assert bad(log) == {
        "its time is neither ISO 8601 nor a number": (5, [2, 11, 12]),
        "its time is before 1970 or no time": (2, [4, 6]),
        "its room is empty": (1, [7]),
        "its member is empty": (1, [8]),
        "it has more or fewer fields than the header": (2, [9, 10]),
    }
    assert bad_text(log.bad[0]) == "5 rows: its time is neither ISO 8601 nor a number (lines 2, 11, 12, ...)"
    assert bad_text(log.bad[2]) == "1 row: its room is empty (line 7)"


def test_line_numbers_are_those_of_the_file_also_after_texts_of_several_lines() -> None:
    log = read('time,room,member,text\n1,r,m,"two\nlines"\nsoon,r,m,x\n')
    assert [each.first_lines for each in log.bad] == [[4]]


@pytest.mark.parametrize("at", [0, 150, 250, 299])
def test_a_quote_that_is_never_closed_costs_one_row(at: int) -> None:
    lines = [f"{second},r,m,text" for second in range(300)]
    lines[at] = f'{at},r,m,"never closed'
    log = read("\n".join(["time,room,member,text", *lines]))
    assert bad(log) == {"a quote is not closed within 100 lines": (1, [at + 2])}
    assert len(log.time_s) == 299


def test_two_quotes_too_many_cost_two_rows() -> None:
    lines = [f"{second},r,m,text" for second in range(300)]
    lines[5], lines[50] = '5,r,m,"one', '50,"r,m,another'
    log = read("\n".join(["time,room,member,text", *lines]))
    assert sum(each.rows for each in log.bad) == 2
    assert len(log.time_s) == 298


@given(quoted=some.sets(some.integers(0, 59), max_size=59))
def test_stray_quotes_cost_only_the_rows_that_they_are_in(quoted: set[int]) -> None:
    lines = [f"{second},r,m,{chr(34) if second in quoted else ''}text" for second in range(60)]
    log = read("\n".join(["time,room,member,text", *lines]))
    assert set(log.time_s.tolist()) == set(range(60)) - quoted


def test_joins_and_leaves_are_no_messages_but_name_members() -> None:
    log = rows(
        "1,r,a,message", "2,r,b,join", "3,r,b,leave", "4,r,c,", "5,r,d,MESSAGE", "6,r,e,dance", header=HEADER + ",event"
    )
    assert log.time_s.tolist() == [1, 4, 5]
    assert log.known_members.tolist() == [4]
    assert bad(log) == {"its event is none of message, join, leave": (1, [7])}


def test_listeners_take_the_place_of_members() -> None:
    log = rows("1,r,10", "2,r,", "3,s,0.5", "4,s,many", "5,s,-1", header="time,room,listeners")
    assert log.listeners[0] == 10
    assert math.isnan(log.listeners[1])
    assert bad(log) == {"its listeners is not a number between 0 and 1,000,000,000": (2, [5, 6])}
    assert log.known_members.tolist() == [0, 0]


def test_columns_may_have_other_names_and_stand_anywhere() -> None:
    log = read("who;x;where;ts\na;1;r;2025-11-28T12:00:00Z\n", "time=ts", "room=where", "member=who")
    assert log.time_s.tolist() == [NOON_S]


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        (
            "Time,room,member",
            (),
            "has no column 'time'; did you mean 'Time'\\? its columns are Time, room, member; write",
        ),
        ("ts,room,member", (), "has no column 'time'; its columns are ts, room, member; write --column time=NAME"),
        ("time,room", (), "has no column 'member'"),
        ("time,room,member", ("bytes=size",), "has no column 'size'"),
        ("time,room,member", ("time=timee",), "has no column 'timee'; did you mean 'time'"),
        ("", (), "has no column 'time'; its columns are none"),
    ],
)
def test_a_column_that_is_missing_is_one_sentence(header: str, columns: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(header + "\n1,r,m\n", *columns)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ts", "--column 'ts' is not a column and its name in the file; write it like time=ts"),
        ("time=", "write it like time=ts"),
        ("tme=ts", "there is no column 'tme'; did you mean 'time'\\? known: " + ", ".join(COLUMNS)),
    ],
)
def test_a_mapping_that_is_wrong_is_one_sentence(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_columns([given])


def test_a_log_without_a_message_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no message: it has no rows"):
        rows()
    with pytest.raises(UsageError, match=r"has no message: 1 row: its time is neither .* \(line 2\)"):
        rows("now,r,m")
    with pytest.raises(UsageError, match=r"cannot be read .*; name a CSV file"):
        read_trace(tmp_path, {})
