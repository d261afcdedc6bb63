"""`chatbench list`, `doctor` and `completion`: what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from harness.commands.output import console

if TYPE_CHECKING:
    from architectures.interface import Contender


@click.command(name="list")
def list_command() -> None:
    """List the architectures and scenarios that can be run."""
    from harness import registry  # noqa: PLC0415 - see comparing.py
    from harness.report.fitting import Column, Fitted  # noqa: PLC0415

    names = (*registry.architecture_names(), *registry.peer_names())
    architectures = [registry.load_contender(name) for name in names]
    scenarios = registry.scenario_files()
    needs = [" + ".join(_needs(architecture)) or "-" for architecture in architectures]
    options = [_options(architecture.options) for architecture in architectures]
    own = [_options(registry.scenario_options(path)) for path in scenarios.values()]
    out = console()
    out.print(
        Fitted(
            [
                Column("architecture", names),
                Column("needs", needs),
                Column("how a message gets there", [each.summary for each in architectures], folds=True),
                Column("options (--arch-set)", options),
            ]
        )
    )
    out.print()
    out.print(
        Fitted(
            [
                Column("scenario", scenarios),
                Column("whose chat", [registry.scenario_summary(path) for path in scenarios.values()], folds=True),
                Column("options (--set)", own),
            ]
        )
    )


def _needs(architecture: type[Contender]) -> list[str]:
    backends = ("kafka", "redis", "redis_cluster", "nats")
    return [what.replace("_", " ") for what in backends if getattr(architecture.requires, what)]


def _options(defaults: Mapping[str, object]) -> str:
    """One a line."""
    texts = (f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in defaults.items())
    return "\n".join(texts) or "-"


@click.command()
def doctor() -> None:
    """Say what is there, what would be downloaded, and what is too small."""
    from rich.text import Text  # noqa: PLC0415 - see comparing.py

    from harness.doctor import examine  # noqa: PLC0415
    from harness.report.fitting import Column, Fitted  # noqa: PLC0415

    findings = examine()
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


@click.command()
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
