"""Where commands print: results on stdout, progress on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from harness.report.progress import CampaignProgress, RunProgress


def console(width: int | None = None) -> Console:
    """For results; `width` where no window says how wide."""
    out = _plain()
    return out if out.is_terminal or width is None else _plain(width=width)


def _plain(*, stderr: bool = False, width: int | None = None) -> Console:
    """It prints text as it is: a folder may be called [v1] or :rocket:. What is to be bold is a rich Text."""
    from rich.console import Console  # noqa: PLC0415 - so that `chatbench --help` need not wait for it

    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def say(out: Console, *lines: str | Text) -> None:
    """Each in one line, however long: people copy paths."""
    for line in lines:
        out.print(line, soft_wrap=True)


def run_progress() -> RunProgress:
    from harness.report.progress import RunProgress  # noqa: PLC0415 - as above

    return RunProgress(_plain(stderr=True))


def campaign_progress(runs: int) -> CampaignProgress:
    """Of so many runs."""
    from harness.report.progress import CampaignProgress  # noqa: PLC0415 - as above

    return CampaignProgress(_plain(stderr=True), runs)
