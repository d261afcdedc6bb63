"""Reads a log of real chat traffic: CSV with a header, and a row for each message.

The columns, of which only `time`, `room`, and `member` or `listeners` are needed:

time       when it was sent: ISO 8601 (UTC if it names no zone), or s, ms, us or ns since 1970 (its size says which)
room       the room that it was sent to
member     its sender
bytes      the size of its text
listeners  the number of members in the room at that moment
event      `message`, or `join` or `leave`, which are not messages but name a member of the room

Other columns are ignored; no text is kept, and names become numbers. Rows may be in any order. A bad row is counted and
never ends the reading.
"""

from __future__ import annotations

import csv
import difflib
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from harness.core.errors import UsageError

COLUMNS = ("time", "room", "member", "bytes", "listeners", "event")
DELIMITERS = ",;\t|"
MESSAGE, OTHER_EVENTS = "message", ("join", "leave")
LINES_NAMED = 3  # of the bad rows of a kind
LINES_MAX = 100  # a row of more lines has a quote that was never closed
AMOUNT_MAX = 1e9  # bytes of a text, and members of a room
# A larger number is in ns, us or ms. In the next coarser unit it would lie after the year 5000.
NUMBERS_PER_S = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


class BadRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were left out for the same reason."""

    why: str
    rows: int
    first_lines: list[int]  # where the first of them begin; the header is line 1


@dataclass(frozen=True, slots=True)
class TraceLog:
    """The messages of a log in order of time, with one value for each message in every array."""

    time_s: npt.NDArray[np.float64]  # since 1970
    room: npt.NDArray[np.int64]  # numbers from 0
    payload_bytes: npt.NDArray[np.float64]  # nan: not in the log
    listeners: npt.NDArray[np.float64]  # nan: not in the log
    known_members: npt.NDArray[np.int64]  # of each room, by its number: how many distinct ones the log names
    bad: Sequence[BadRows]


def parse_columns(given: Sequence[str]) -> dict[str, str]:
    """Parse `time=ts` into {"time": "ts"}. Raises UsageError."""
    names = {}
    for each in given:
        column, equals, name = each.partition("=")
        if not equals or not name:
            raise UsageError(f"--column {each!r} is not a column and its name in the file; write it like time=ts")
        if column not in COLUMNS:
            raise UsageError(
                f"--column {each!r}: there is no column {column!r}; {_near(column, COLUMNS)}known: {', '.join(COLUMNS)}"
            )
        names[column] = name
    return names


def read_trace(file: Path, names: Mapping[str, str]) -> TraceLog:
    """Read a log. `names` has the names of columns that are called otherwise. Raises UsageError."""
    shown = f"--from {str(file)!r}"
    reading = _Reading()
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            header = text.readline()
            delimiter = max(DELIMITERS, key=header.count)
            heads = [head.strip() for head in next(csv.reader([header], delimiter=delimiter), [])]
            columns = _places(shown, heads, names)
            for line, row in _rows(text, delimiter, len(heads)):
                reading.take(line, row, columns)
    except OSError as problem:
        raise UsageError(f"{shown} cannot be read ({problem.strerror}); name a CSV file") from problem
    except csv.Error as problem:
        raise UsageError(f"{shown} has no header of CSV ({problem})") from problem
    if not reading.time_s:
        why = "; ".join(map(bad_text, reading.bad_rows())) or "it has no rows"
        raise UsageError(f"{shown} has no message: {why}")
    return reading.log()


def bad_text(bad: BadRows) -> str:
    """Say how many rows were bad for this reason, and where the first are."""
    more = ", ..." if bad.rows > len(bad.first_lines) else ""
    lines = ", ".join(f"{line:,}" for line in bad.first_lines)
    return (
        f"{bad.rows:,} row{'' if bad.rows == 1 else 's'}: {bad.why} (line{'s' if bad.rows > 1 else ''} {lines}{more})"
    )


def _places(shown: str, heads: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    """Where each column is. Raises UsageError if one is missing that is needed or named."""
    wanted = {column: names.get(column, column) for column in COLUMNS}
    places = {column: heads.index(name) for column, name in wanted.items() if name in heads}
    needed = ["time", "room", *names, *([] if "listeners" in places else ["member"])]
    for column in needed:
        if column not in places:
            name = wanted[column]
            raise UsageError(
                f"{shown} has no column {name!r}; {_near(name, heads)}its columns are {', '.join(heads) or 'none'}; "
                f"write --column {column}=NAME if it is called otherwise"
            )
    return places


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


class _Unclosed(Exception):
    """A quote is open at the end of the file, or for too many lines."""


class _Lines:
    """The lines of a file, of which those after the first of a bad row can be read again."""

    def __init__(self, text: Iterator[str]) -> None:
        self.number = 2  # of the first line of the row; the header is line 1
        self._text = text
        self._row: list[str] = []
        self._again: deque[str] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text, None)
        if self._row and (line is None or len(self._row) == LINES_MAX):  # more than one line: within quotes
            self._again.extend([] if line is None else [line])
            raise _Unclosed
        if line is None:
            raise StopIteration
        self._row.append(line)
        return line

    def begin_row(self) -> None:
        self.number += len(self._row)
        self._row.clear()

    def give_back(self) -> None:
        self._again.extendleft(reversed(self._row[1:]))
        del self._row[1:]


def _rows(text: Iterator[str], delimiter: str, fields: int) -> Iterator[tuple[int, list[str] | str]]:
    """The number of the first line of each row that is not empty, and its fields, or why it is bad.

    A quote too many costs one row, because the lines that it made part of the row are read again.
    """
    lines = _Lines(text)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            why = f"it is not CSV ({problem})"
        except _Unclosed:
            why = f"a quote is not closed within {LINES_MAX} lines"
        else:
            if len(row) == fields:
                yield lines.number, row
            if len(row) in (0, fields):
                continue
            why = "it has more or fewer fields than the header"
        yield lines.number, why
        lines.give_back()


class _BadRow(Exception):
    """A row that is left out. The text says why."""


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    time_s: array[float] = field(default_factory=lambda: array("d"))
    room: array[int] = field(default_factory=lambda: array("q"))
    payload_bytes: array[float] = field(default_factory=lambda: array("d"))
    listeners: array[float] = field(default_factory=lambda: array("d"))
    # Pairs of a room and a member, with repetitions.
    room_of_member: array[int] = field(default_factory=lambda: array("q"))
    member_of_room: array[int] = field(default_factory=lambda: array("q"))
    rooms: dict[str, int] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    bad: dict[str, array[int]] = field(default_factory=dict)  # by reason: the number of rows, then the first lines

    def take(self, line: int, row: list[str] | str, columns: Mapping[str, int]) -> None:
        try:
            if isinstance(row, str):
                raise _BadRow(row)
            self._take(row, columns)
        except _BadRow as problem:
            seen = self.bad.setdefault(str(problem), array("q", [0]))
            seen[0] += 1
            if len(seen) <= LINES_NAMED:
                seen.append(line)

    def _take(self, row: list[str], columns: Mapping[str, int]) -> None:
        time_s = _time_s(row[columns["time"]])
        room = _name("room", row[columns["room"]])
        member = _name("member", row[columns["member"]]) if "member" in columns else None
        payload_bytes = _amount("bytes", row[columns["bytes"]]) if "bytes" in columns else np.nan
        listeners = _amount("listeners", row[columns["listeners"]]) if "listeners" in columns else np.nan
        event = row[columns["event"]].strip().lower() if "event" in columns else MESSAGE
        if event not in ("", MESSAGE, *OTHER_EVENTS):
            raise _BadRow(f"its event is none of {MESSAGE}, {', '.join(OTHER_EVENTS)}")
        number = self.rooms.setdefault(room, len(self.rooms))
        if member is not None:
            self.room_of_member.append(number)
            self.member_of_room.append(self.members.setdefault(member, len(self.members)))
        if event not in OTHER_EVENTS:
            self.time_s.append(time_s)
            self.room.append(number)
            self.payload_bytes.append(payload_bytes)
            self.listeners.append(listeners)

    def bad_rows(self) -> list[BadRows]:
        return [BadRows(why=why, rows=seen[0], first_lines=list(seen[1:])) for why, seen in self.bad.items()]

    def log(self) -> TraceLog:
        time_s = np.array(self.time_s)
        order = np.argsort(time_s, kind="stable")
        members = np.array(self.room_of_member) * max(1, len(self.members)) + np.array(self.member_of_room)
        of_room = np.unique(members) // max(1, len(self.members))
        return TraceLog(
            time_s=time_s[order],
            room=np.array(self.room)[order],
            payload_bytes=np.array(self.payload_bytes)[order],
            listeners=np.array(self.listeners)[order],
            known_members=np.bincount(of_room.astype(np.int64), minlength=len(self.rooms)),
            bad=self.bad_rows(),
        )


def _time_s(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = _moment_s(text.strip())
    else:
        number /= next((per_s for above, per_s in NUMBERS_PER_S if number > above), 1.0)
    if not 0 <= number < 1e11:  # also nan
        raise _BadRow("its time is before 1970 or no time")
    return number


def _moment_s(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        raise _BadRow("its time is neither ISO 8601 nor a number") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _name(column: str, text: str) -> str:
    if not (name := text.strip()):
        raise _BadRow(f"its {column} is empty")
    return name


def _amount(column: str, text: str) -> float:
    """The number, or nan if the field is empty."""
    if not text:
        return np.nan
    try:
        amount = float(text)
    except ValueError:
        amount = np.nan
    if not 0 <= amount <= AMOUNT_MAX:
        raise _BadRow(f"its {column} is not a number between 0 and {AMOUNT_MAX:,.0f}")
    return amount
