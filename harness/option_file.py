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
    names = {_key(parameter): parameter.name for parameter in context.command.params if _key(parameter) != "config"}
    for key in given:
        if key.replace("_", "-") not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"--config {str(file)!r}: there is no option {key!r}; {hint}known: {', '.join(sorted(names))}"
            )
    defaults: dict[str, Any] = {}
    for key, value in given.items():
        name = names[key.replace("_", "-")]
        assert name is not None
        defaults[name] = value
    context.default_map = {**(context.default_map or {}), **defaults}


def _key(parameter: click.Parameter) -> str:
    """The option as it is written, without its dashes."""
    return max(parameter.opts, key=len).lstrip("-")
