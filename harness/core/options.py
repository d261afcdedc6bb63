"""The options that a scenario or an architecture defines, given as NAME=VALUE."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from architectures.interface import Option
from harness.core.errors import UsageError
from harness.core.escapes import is_plain
from harness.core.units import number_text


class BadOption(Exception):
    """The option does not exist, or its value is not allowed. The text follows the name of its owner in a sentence."""


def parse_options(flag: str, given: Iterable[str]) -> dict[str, str]:
    """Parse NAME=VALUE options; raises UsageError. `flag` is the command-line option that they were given with."""
    options = {}
    for option in given:
        name, equals, value = option.partition("=")
        if not is_plain(option):
            raise UsageError(f"{flag} is {option!r}, which has a character that a record cannot hold; leave it out")
        if not (name and equals):
            raise UsageError(f"{flag} is {option!r}, but it must be NAME=VALUE, as in {flag} exponent=1.2")
        options[name] = value
    return options


def choose_options(
    defaults: Mapping[str, Option],
    given: Mapping[str, str],
    ranges: Mapping[str, tuple[float, float]] = MappingProxyType({}),
) -> dict[str, Option]:
    """Return the defaults, replaced by the given values; raises BadOption.

    A given value has the type of its default, and a number must be in its range.
    """
    chosen = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            raise BadOption(f"has no option {name!r}; {_known(name, list(defaults))}")
        if isinstance(defaults[name], str):
            chosen[name] = value
            continue
        number = _number(name, value)
        chosen[name] = int(number) if isinstance(defaults[name], int) and number.is_integer() else number
        least, most = ranges.get(name, (number, number))
        if not least <= number <= most:
            between = f"{number_text(least)} and {number_text(most)}"
            raise BadOption(f"has an option {name}, but it must be between {between}, not {value}")
    return chosen


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(value)
    except ValueError as problem:
        raise BadOption(f"has an option {name}, but it must be a number, not {value!r}") from problem
    return number


def _known(name: str, names: list[str]) -> str:
    if not names:
        return "it has no options"
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(names)}"
