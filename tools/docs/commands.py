"""docs/commands.md: every command and its options, as `--help` shows them.

python -m tools.docs.commands > docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from harness.cli.main import main

HEAD = """\
# Commands

What `chatbench COMMAND --help` shows. The [cookbook](cookbook.md) has a question and an example for each.

Quantities are written as people write them: `--duration 2m`, `--rate 1k`, `--payload 4KiB`. Options can also stand in a
TOML file that `--config` names; what is on the command line wins.
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
    """As wide as a page shows it, whatever terminal this runs in."""
    above = click.Context(main, info_name="chatbench")
    context = click.Context(command, info_name=command.name, parent=above, **command.context_settings)
    context.terminal_width = context.max_content_width = 100
    return command.get_help(context)


if __name__ == "__main__":
    sys.stdout.write(page())
