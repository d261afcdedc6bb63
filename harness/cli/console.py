"""Where commands print: results on stdout, progress on stderr."""

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
    """`--json`: the command prints `what` with print_json and nothing else on stdout."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} alone on stdout.")


def print_json(answer: Any) -> None:
    """The answer, made of msgspec's structs; docs/data.md has the keys of each."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(answer)))


def console() -> Console:
    """For results: as wide as the window, as COLUMNS says, or 80 characters."""
    return _plain()


def _plain(*, stderr: bool = False) -> Console:
    """It prints text as it is: a folder may be called [v1] or :rocket:. What is to be bold is a rich Text."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say(out: Console, *lines: str | Text) -> None:
    """Each in one line, however long: people copy paths."""
    for line in lines:
        out.print(line, soft_wrap=True)


def tell(out: Console, *sentences: str | Text) -> None:
    """Each folded between words."""
    for sentence in sentences:
        out.print(sentence, overflow="fold")


def run_progress() -> RunProgress:
    from harness.core.progress import RunProgress

    return RunProgress(_plain(stderr=True))


def campaign_progress(runs: int) -> CampaignProgress:
    """Of so many runs."""
    from harness.core.progress import CampaignProgress

    return CampaignProgress(_plain(stderr=True), runs)
