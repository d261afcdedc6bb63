from __future__ import annotations

from typing import Any

import click
import pytest

from harness.cli.types import COUNT, DURATION, NUMBER, SIZE, TICK


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2m", 120), ("1.5h", 5400), ("500ms", 0.5), ("7", 7), (" 5 S ", 5)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "ten", "5x", "5mm", "1 2s", "sm", "1..2"])
def test_an_invalid_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write it like 30s"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(("text", "seconds"), [("adaptive", None), ("0", 0.0), ("20ms", 0.02), (None, None)])
def test_a_tick_is_a_duration_or_adapts(text: str | None, seconds: float | None) -> None:
    assert TICK.convert(text, None, None) == seconds


def test_an_invalid_tick_is_refused_with_an_example() -> None:
    with pytest.raises(click.BadParameter, match="write it like 20ms or 0, or adaptive"):
        TICK.convert("fast", None, None)


@pytest.mark.parametrize(("text", "number"), [("20", 20), ("0.5", 0.5), ("1k", 1000), ("2.5K", 2500), ("1m", 1e6)])
def test_rates_may_be_in_thousands(text: str, number: float) -> None:
    assert NUMBER.convert(text, None, None) == pytest.approx(number)


@pytest.mark.parametrize(("text", "count"), [("100", 100), ("1k", 1000), ("2.5k", 2500), (7, 7), ("1_000", 1000)])
def test_counts_may_be_in_thousands(text: str, count: int) -> None:
    assert COUNT.convert(text, None, None) == count


@pytest.mark.parametrize(
    ("text", "size"), [("100", 100), ("4KiB", 4096), ("4kB", 4000), ("1MiB", 1 << 20), ("2k", 2048)]
)
def test_sizes_have_the_units_of_bytes(text: str, size: int) -> None:
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("kind", [DURATION, TICK, NUMBER, COUNT, SIZE])
@pytest.mark.parametrize("text", ["1e400", "9" * 400, "nan", "inf", "-inf", "1e308k", "\u0661", "", "\0"])
def test_infinite_and_absurd_numbers_are_refused(kind: click.ParamType[Any], text: str) -> None:
    if kind in {DURATION, TICK} and text == "1e308k":
        text = "1e308h"
    with pytest.raises(click.BadParameter, match="write it like"):
        kind.convert(text, None, None)


@pytest.mark.parametrize("text", ["1.5", "0.0001k", "many", "4 potatoes"])
def test_an_invalid_count_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write it like 100, 1k"):
        COUNT.convert(text, None, None)
