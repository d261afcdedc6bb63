"""Consoles that commands print to: results go to stdout, progress goes to stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from harness.core.progress import CampaignProgress, RunProgress

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(what: str) -> Callable[[Command], Command]:
    """The option `--json`: the command prints `what` with print_json and nothing else on stdout."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} alone on stdout.")


def print_json(answer: Any) -> None:
    """Print an answer made of msgspec structs as indented JSON; docs/data.md describes the keys."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(answer)))


def console() -> Console:
    """A console for results. Its width is COLUMNS if set, else that of the window, else 80 characters."""
    return _plain()


def _plain(*, stderr: bool = False) -> Console:
    """A console that prints text literally: a folder may be called [v1] or :rocket:. For bold, pass a rich Text."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say(out: Console, *lines: str | Text) -> None:
    """Print each line unwrapped, so that paths can be copied."""
    for line in lines:
        out.print(line, soft_wrap=True)


def tell(out: Console, *sentences: str | Text) -> None:
    """Print each sentence, wrapped between words."""
    for sentence in sentences:
        out.print(sentence, overflow="fold")


def run_progress() -> RunProgress:
    from harness.core.progress import RunProgress

    return RunProgress(_plain(stderr=True))


def campaign_progress(runs: int, *, run_s: float | None = None, or_more: bool = False) -> CampaignProgress:
    """The progress display for a number of runs, or more, each of which will probably take `run_s`."""
    from harness.core.progress import CampaignProgress

    return CampaignProgress(_plain(stderr=True), runs, run_s=run_s, or_more=or_more)
