"""`chatbench advise --prices`: options for a file of prices, and for the example that the user fills in."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.console import Command


def prices_options(command: Command) -> Command:
    """Adds --prices and --prices-example to a command."""
    for option in (
        click.option(
            "--prices-example",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_example,
            help="Print a file for --prices, in which you fill in your prices, and exit.",
        ),
        click.option(
            "--prices",
            type=click.Path(path_type=Path),
            metavar="FILE.toml",
            help="Prices of CPU, memory, disk and traffic across zones: adds what each architecture costs a month.",
        ),
    ):
        command = option(command)
    return command


def _print_example(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from harness.experiments.costs.prices import EXAMPLE

        click.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)
        context.exit()
