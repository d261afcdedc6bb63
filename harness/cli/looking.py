"""`chatbench list`, `doctor` and `completion`: what is there."""

from __future__ import annotations

from collections.abc import Mapping

import click

from harness.cli.console import console, json_option, print_json
from harness.cli.help import command


@command(name="list")
@json_option("names, needs and options as JSON")
def list_command(as_json: bool) -> None:
    """List the architectures and scenarios that can be run."""
    from harness.cli.listing import listing  # noqa: PLC0415 - see comparing.py
    from harness.report.fitting import Column, Fitted  # noqa: PLC0415

    found = listing()
    if as_json:
        print_json(found)
        return
    architectures, scenarios = found.architectures, found.scenarios
    needs = [" + ".join(each.needs).replace("_", " ") or "-" for each in architectures]
    out = console()
    out.print(
        Fitted(
            [
                Column("architecture", [each.name for each in architectures]),
                Column("needs", needs),
                Column("how a message gets there", [each.summary for each in architectures], folds=True),
                Column("options (--arch-set)", [_options(each.options) for each in architectures]),
            ]
        )
    )
    out.print()
    out.print(
        Fitted(
            [
                Column("scenario", [each.name for each in scenarios]),
                Column("whose chat", [each.summary for each in scenarios], folds=True),
                Column("options (--set)", [_options(each.options) for each in scenarios]),
            ]
        )
    )


def _options(defaults: Mapping[str, object]) -> str:
    """One a line."""
    texts = (f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in defaults.items())
    return "\n".join(texts) or "-"


@command()
@json_option("what was found as JSON")
def doctor(as_json: bool) -> None:
    """Say what is there, what would be downloaded, and what is too small."""
    from rich.text import Text  # noqa: PLC0415 - see comparing.py

    from harness.cli.machine_check import examine  # noqa: PLC0415
    from harness.report.fitting import Column, Fitted  # noqa: PLC0415

    findings = examine()
    if as_json:
        print_json(findings)
        return
    marks = [Text("ok", "green") if finding.ok else Text("look", "yellow") for finding in findings]
    advised = [finding.found if finding.ok else f"{finding.found}\n{finding.advice}".strip() for finding in findings]
    console().print(
        Fitted(
            [
                Column("what", [finding.what for finding in findings]),
                Column("", marks),
                Column("found", advised, folds=True),
            ]
        )
    )


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, architectures and scenarios.

    \b
    Examples:
      eval "$(chatbench completion bash)"        once, or in ~/.bashrc
      eval "$(chatbench completion zsh)"         once, or in ~/.zshrc
      chatbench completion fish > ~/.config/fish/completions/chatbench.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - only here

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, "chatbench", "_CHATBENCH_COMPLETE").source())
