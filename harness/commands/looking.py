"""`chatbench list`, `doctor` and `completion`: what is there."""

from __future__ import annotations

import click

from harness.commands.output import console, say


@click.command(name="list")
def list_command() -> None:
    """List the architectures and scenarios that can be run."""
    from rich import box  # noqa: PLC0415 - see comparing.py
    from rich.table import Table  # noqa: PLC0415

    from harness import registry  # noqa: PLC0415

    columns = ("architecture", "needs", "how a message gets there", "options (--arch-set)")
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (*registry.architecture_names(), *registry.peer_names()):
        architecture = registry.load_contender(name)
        backends = ("kafka", "redis", "redis_cluster", "nats")
        needs = [what.replace("_", " ") for what in backends if getattr(architecture.requires, what)]
        options = "\n".join(f"{option}={default}" for option, default in architecture.options.items())
        table.add_row(name, " + ".join(needs) or "-", architecture.summary, options or "-")
    scenarios = Table("scenario", "whose chat", "options (--set)", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, path in registry.scenario_files().items():
        options = "\n".join(f"{option}={default:g}" for option, default in registry.scenario_options(path).items())
        scenarios.add_row(name, registry.scenario_summary(path), options or "-")
    out = console()
    out.print(table)
    out.print(scenarios)


@click.command()
def doctor() -> None:
    """Say what is there, what would be downloaded, and what is too small."""
    from rich.text import Text  # noqa: PLC0415 - see comparing.py

    from harness.doctor import examine  # noqa: PLC0415

    out = console()
    for finding in examine():
        mark = ("ok  ", "green") if finding.ok else ("look", "yellow")
        say(out, Text.assemble(mark, f" {finding.what:<28} {finding.found}"))
        if not finding.ok and finding.advice:
            say(out, f"     {'':<28} {finding.advice}")


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
