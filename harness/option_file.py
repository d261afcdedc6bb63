"""`--config FILE.toml`: every option of a command, without its dashes, as a key. The command line wins.

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

from harness.errors import UsageError


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --config to a command."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=_load,
        help='Options from a TOML file: `rate = 100`, `duration = "1m"`; the command line wins.',
    )(command)


def _load(context: click.Context, _parameter: click.Parameter, file: Path | None) -> None:
    if file is None:
        return
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UsageError(f"--config {str(file)!r} cannot be read ({problem.strerror}); name a TOML file") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"--config {str(file)!r} is no TOML: {problem}") from problem
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
        may_be_several = isinstance(parameter, click.Option) and parameter.multiple
        defaults[parameter.name] = [value] if may_be_several and not isinstance(value, list) else value
    context.default_map = {**(context.default_map or {}), **defaults}


def _key(parameter: click.Parameter) -> str:
    """The option as it is written, without its dashes."""
    return max(parameter.opts, key=len).lstrip("-")
