"""`chatbench completion`: the completion script of a shell."""

from __future__ import annotations

import click

from harness.cli.help import command


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, options, architectures and scenarios.

    \b
    Examples:
      eval "$(chatbench completion bash)"        once, or in ~/.bashrc
      eval "$(chatbench completion zsh)"         once, or in ~/.zshrc
      chatbench completion fish > ~/.config/fish/completions/chatbench.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, "chatbench", "_CHATBENCH_COMPLETE").source())
