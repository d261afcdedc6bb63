"""Where commands print: results on stdout, progress on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.progress import CampaignProgress, RunProgress


def console(width: int | None = None) -> Console:
    """For results; `width` where no window says how wide."""
    from rich.console import Console  # noqa: PLC0415 - so that `chatbench --help` need not wait for it

    out = Console()
    return out if out.is_terminal or width is None else Console(width=width)


def say(out: Console, *lines: str) -> None:
    """Each in one line, however long: people copy paths."""
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True)


def run_progress() -> RunProgress:
    from rich.console import Console  # noqa: PLC0415 - as above

    from harness.report.progress import RunProgress  # noqa: PLC0415

    return RunProgress(Console(stderr=True))


def campaign_progress(runs: int) -> CampaignProgress:
    """Of so many runs."""
    from rich.console import Console  # noqa: PLC0415 - as above

    from harness.report.progress import CampaignProgress  # noqa: PLC0415

    return CampaignProgress(Console(stderr=True), runs)
