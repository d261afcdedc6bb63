"""`--config FILE.toml`: options of a command as TOML keys, without their dashes. The command line takes precedence.

arch = ["plan1", "redis"]
rate = "1k"
duration = "2m"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from harness.core.errors import UsageError

FROM_FILE = "harness.cli.config_file"  # key in `context.meta` of a command


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --config to a command."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=_load,
        help="TOML file to read options from, such as `rate = 100`. The command line takes precedence.",
    )(command)


def _load(context: click.Context, _parameter: click.Parameter, file: Path | None) -> None:
    if file is None:
        return
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise UsageError(f"--config {str(file)!r} cannot be read ({problem.strerror}); name a TOML file") from problem
    except (
        ValueError,
        RecursionError,
    ) as problem:  # invalid TOML or UTF-8, a number of 5,000 digits, 1,000 lists in lists
        raise UsageError(f"--config {str(file)!r} is not valid TOML: {problem}") from problem
    parameters = {_key(parameter): parameter for parameter in context.command.params if _key(parameter) != "config"}
    for key in given:
        if key.replace("_", "-") not in parameters:
            near = difflib.get_close_matches(key, parameters, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"--config {str(file)!r}: there is no option {key!r}; {hint}known: {', '.join(sorted(parameters))}"
            )
    defaults: dict[str, Any] = {}
    for key, value in given.items():
        parameter = parameters[key.replace("_", "-")]
        assert parameter.name is not None
        try:
            defaults[parameter.name] = _as_given(parameter, value)
        except TypeError as problem:
            shown = msgspec.json.encode(value, enc_hook=str).decode()
            raise UsageError(f"--config {str(file)!r}: {key} is {shown}, but it must be {problem}") from problem
    context.default_map = {**(context.default_map or {}), **defaults}
    context.meta[FROM_FILE] = frozenset(defaults)


def from_file(context: click.Context) -> frozenset[str]:
    """Names of the parameters that were given in the --config file."""
    names: frozenset[str] = context.meta.get(FROM_FILE, frozenset())
    return names


def _as_given(parameter: click.Parameter, value: object) -> str | bool | list[str]:
    """The value as the command line would pass it, which is text. TypeError says which types are allowed."""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        if isinstance(value, bool):
            return value
        raise TypeError("true or false")
    if isinstance(parameter, click.Option) and parameter.multiple:
        values = value if isinstance(value, list) else [value]
        return [_as_text(each, "text, a number, or a list of these") for each in values]
    return _as_text(value, "text or a number")


def _as_text(value: object, kinds: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(kinds)
    return str(value)


def _key(parameter: click.Parameter) -> str:
    """The option's name without its dashes."""
    return max(parameter.opts, key=len).lstrip("-")
