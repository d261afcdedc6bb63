"""Formats and parses quantities the way people write them: 30s, 1k, 4KiB."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def per(amount: float | None, of: float | None) -> float | None:
    """The amount for each one, to four decimal places; None if either was not measured, or there was none."""
    return None if amount is None or not of else round(amount / of, 4)


def figure_text(value: float) -> str:
    """Format with three significant digits, or as a whole number if it is large; never with an exponent for those."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cost_text(value: float, resolution: float = 0.0) -> str:
    """Format with one decimal; below 0.1 with two significant digits, and below the resolution as `< resolution`."""
    if value < resolution:
        return f"< {cost_text(resolution)}"
    return f"{value:,.1f}" if value >= 0.1 else f"{value:.2g}"


def number_text(value: float) -> str:
    """Format a number in full, as the user wrote it; only numbers above 1e17 have an exponent."""
    return f"{value:,.10g}" if abs(value) < 1e10 else f"{value:,.0f}" if abs(value) < 1e17 else f"{value:.3g}"


def duration_text(seconds: float) -> str:
    """Format a duration as it would be written on a command line: 20ms, 30s, 2m, 1h."""
    if abs(seconds) < 1:
        return f"{number_text(1000 * seconds)}ms" if seconds else "0s"
    for unit, in_s in (("h", 3600), ("m", 60)):
        if seconds % in_s == 0:
            return f"{number_text(seconds / in_s)}{unit}"
    return f"{number_text(seconds)}s"


def size_text(size_bytes: float) -> str:
    """Format a size nearly as it would be written on a command line: 100 bytes, 4KiB, 95.4MiB."""
    for unit, in_bytes in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(size_bytes) >= in_bytes:
            return f"{number_text(round(size_bytes / in_bytes, 1))}{unit}"
    return "1 byte" if size_bytes == 1 else f"{number_text(size_bytes)} bytes"


def utc_text(epoch_ns: int) -> str:
    """Format a moment since the epoch as ISO 8601 in UTC, to the microsecond, without the digits after it."""
    return (EPOCH + timedelta(microseconds=epoch_ns // 1_000)).isoformat(timespec="microseconds")


def parse_utc(text: str) -> int:
    """Parse what `utc_text` has formatted into ns since the epoch; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
COUNTS = {"": 1, "k": 1_000, "m": 1_000_000}
BYTES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1 << 10, "mib": 1 << 20, "k": 1 << 10, "m": 1 << 20}
WRITTEN = re.compile(r"\s*(-?[0-9][0-9_.]*(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_amount(text: str, units: dict[str, float] | dict[str, int]) -> float:
    """Parse a number with a unit; raises ValueError if it is not a number, and KeyError for an unknown unit."""
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(text)
    amount = float(written[1]) * units[written[2].lower()]
    if not math.isfinite(amount):  # 1e400
        raise ValueError(text)
    return amount


def parse_duration(text: str) -> float:
    """Parse a duration into seconds; raises ValueError."""
    try:
        return parse_amount(text, SECONDS)
    except KeyError as unit:
        raise ValueError(text) from unit
