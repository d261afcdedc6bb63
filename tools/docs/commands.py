"""Generates docs/commands.md: every command and its options, as `--help` shows them.

python -m tools.docs.commands > docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from harness.cli.main import main

HEAD = """\
# Commands

This page shows what `chatbench COMMAND --help` prints. The [cookbook](cookbook.md) has a question and an example for
each command.

Quantities may have units: `--duration 2m`, `--rate 1k`, `--payload 4KiB`. Options can also be set in a TOML file that
`--config` names; the command line takes precedence.
"""


def page() -> str:
    return "\n".join([HEAD, *_sections()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    for heading, commands in main.sections.items():
        yield f"## {heading}\n"
        for command in commands:
            yield f"### chatbench {command.name}\n"
            yield "```text"
            yield _help(command)
            yield "```\n"


def _help(command: click.Command) -> str:
    """Return the command's help, 100 characters wide whatever the terminal."""
    above = click.Context(main, info_name="chatbench")
    context = click.Context(command, info_name=command.name, parent=above, **command.context_settings)
    context.terminal_width = context.max_content_width = 100
    return command.get_help(context)


if __name__ == "__main__":
    sys.stdout.write(page())
