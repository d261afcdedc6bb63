"""Types of options: durations, counts, sizes and folders. An error shows an example of a valid value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from harness.core.units import BYTES, COUNTS, parse_amount, parse_duration

ADAPTIVE = "adaptive"


class Duration(click.ParamType[float]):
    """Seconds: 30s, 2m, 1.5h, 500ms, or a bare number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration; write it like 30s, 2m or 500ms", param, ctx)


class TickInterval(click.ParamType["float | None"]):
    """Seconds, or None for `adaptive`."""

    name = "tick"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or value == ADAPTIVE:
            return None
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a tick; write it like 20ms or 0, or {ADAPTIVE}", param, ctx)


class Number(click.ParamType[float]):
    """A number, in which k stands for thousands and m for millions: 20, 0.5, 1k, 2.5k, 1m."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_amount(str(value), COUNTS)
        except (ValueError, KeyError):
            self.fail(f"{value!r} is not a number; write it like 20, 0.5 or 1k", param, ctx)


class Whole(click.ParamType[int]):
    """A whole number, in the given units."""

    def __init__(self, name: str, units: dict[str, int], like: str) -> None:
        self.name = name
        self._units = units
        self._like = like

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            amount = parse_amount(str(value), self._units)
        except (ValueError, KeyError):
            self.fail(f"{value!r} is not a {self.name}; write it like {self._like}", param, ctx)
        if amount != int(amount):
            self.fail(f"{value!r} is not a whole {self.name}; write it like {self._like}", param, ctx)
        return int(amount)


class Folder(click.Path):
    """A folder that exists."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not os.path.exists(value):
            self.fail(f"there is no folder {str(value)!r}", param, ctx)
        if not os.path.isdir(value):
            self.fail(f"{str(value)!r} is not a folder", param, ctx)
        return Path(value)


COUNT = Whole("number", COUNTS, "100, 1k or 2.5k")
SIZE = Whole("size", BYTES, "100, 4KiB or 4kB")
PORT = Whole("port", {"": 1}, "8089")
NUMBER = Number()
FOLDER = Folder()
DURATION = Duration()
TICK = TickInterval()
