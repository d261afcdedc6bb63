"""Quantities as people write them on a command line: 30s, 2m, 1k, 4KiB."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import click

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
COUNTS = {"": 1, "k": 1_000, "m": 1_000_000}
BYTES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1 << 10, "mib": 1 << 20, "k": 1 << 10, "m": 1 << 20}
ADAPTIVE = "adaptive"
WRITTEN = re.compile(r"\s*(-?[0-9][0-9_.]*(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def _in_units(text: str, units: dict[str, float] | dict[str, int]) -> float:
    """Raises ValueError or KeyError if it is no number with one of the units."""
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(text)
    amount = float(written[1]) * units[written[2].lower()]
    if not math.isfinite(amount):  # 1e400
        raise ValueError(text)
    return amount


def parse_duration(text: str) -> float:
    """Seconds; raises ValueError."""
    try:
        return _in_units(text, SECONDS)
    except KeyError as unit:
        raise ValueError(text) from unit


class Duration(click.ParamType[float]):
    """Seconds: 30s, 2m, 1.5h, 500ms, or a bare number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration; write it like 30s, 2m or 500ms", param, ctx)


class Tick(click.ParamType["float | None"]):
    """Seconds, or None for `adaptive`."""

    name = "tick"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or value == ADAPTIVE:
            return None
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is no tick; write it like 20ms or 0, or {ADAPTIVE}", param, ctx)


class Number(click.ParamType[float]):
    """A number, thousands as k: 20, 0.5, 1k, 2.5k, 1m."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return _in_units(str(value), COUNTS)
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no number; write it like 20, 0.5 or 1k", param, ctx)


class Whole(click.ParamType[int]):
    """A whole number, in the given units."""

    def __init__(self, name: str, units: dict[str, int], like: str) -> None:
        self.name = name
        self._units = units
        self._like = like

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            amount = _in_units(str(value), self._units)
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no {self.name}; write it like {self._like}", param, ctx)
        if amount != int(amount):
            self.fail(f"{value!r} is no whole {self.name}; write it like {self._like}", param, ctx)
        return int(amount)


class Folder(click.Path):
    """A folder that is there."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not os.path.exists(value):
            self.fail(f"there is no folder {str(value)!r}", param, ctx)
        if not os.path.isdir(value):
            self.fail(f"{str(value)!r} is no folder", param, ctx)
        return Path(value)


COUNT = Whole("number", COUNTS, "100, 1k or 2.5k")
SIZE = Whole("size", BYTES, "100, 4KiB or 4kB")
PORT = Whole("port", {"": 1}, "8089")
NUMBER = Number()
FOLDER = Folder()
DURATION = Duration()
TICK = Tick()
