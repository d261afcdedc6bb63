"""`chatbench selftest`: known faults are injected, and chatbench must report them; equals must not differ."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.cli import conflicts
from harness.cli.console import campaign_progress, console, json_option, print_json, run_progress, say, tell
from harness.cli.help import command
from harness.cli.options import OUT, complete_architecture
from harness.cli.types import COUNT, DURATION
from harness.core.errors import ExitCode

if TYPE_CHECKING:
    from harness.experiments.selftest import Check

OF_LONG = ("architectures", "names", "budget_s", "rounds", "duration_s")


@command()
@click.option(
    "--long",
    "is_long",
    is_flag=True,
    help="Compare architectures with themselves instead, in blocks as `chatbench compare` does.",
)
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_architecture,
    help="With --long: what is compared with itself.  [default: direct, and redis if a Redis can be started]",
)
@click.option(
    "--names",
    type=COUNT,
    default=3,
    show_default=True,
    metavar="N",
    help="With --long: under how many names each of them runs.",
)
@click.option(
    "--budget", "budget_s", type=DURATION, default="5m", show_default=True, help="With --long: time to measure."
)
@click.option("--rounds", type=COUNT, metavar="N", help="With --long: measure exactly so many blocks instead.")
@click.option(
    "--duration",
    "duration_s",
    type=DURATION,
    default="2s",
    show_default=True,
    help="With --long: length of each measurement.",
)
@OUT
@json_option("selftest.json")
def selftest(*, is_long: bool, out: str, as_json: bool, **of_long: Any) -> None:
    """Inject losses, copies, swaps, delays, a stall and a starved driver, and check what chatbench reports of them.

    \b
    Examples:
      chatbench selftest
      chatbench selftest --json
      chatbench selftest --long
      chatbench selftest --long --arch plan1 --budget 10m

    The self-test takes less than two minutes. With --long it takes about five and is an A/A test: the same architecture
    runs under the names A, B and C, and each pair must be equal or undecided in each figure. By chance, one such
    test in twenty calls one of them better.

    Exit codes: 0 every check passed, 5 a figure was wrong, 4 the machine was too busy to decide.
    """
    if is_long:
        _compare_equals(out, as_json=as_json, **of_long)
        return
    conflicts.refuse(OF_LONG, "only --long compares architectures")
    from harness.experiments.selftest import run_selftest

    with run_progress() as progress:
        checks = list(run_selftest(out, progress))
    _show(checks, as_json=as_json)
    _exit_by(checks)


def _compare_equals(out: str, *, as_json: bool, architectures: tuple[str, ...], **effort: Any) -> None:
    from harness.experiments import aa_test, comparison
    from harness.experiments.campaign import least_turns, too_little_time, turn_s

    campaign = aa_test.campaign_of(aa_test.Effort(architectures or aa_test.architectures_here(), **effort), out)
    folder = comparison.begin(campaign, out)
    if (problem := too_little_time(campaign)) is not None:
        click.echo(f"chatbench: {problem}", err=True)
    with campaign_progress(least_turns(campaign), run_s=turn_s(campaign), or_more=campaign.rounds is None) as progress:
        checks = aa_test.run_aa_test(campaign, folder, progress)
    _show(checks, as_json=as_json)
    if not as_json:
        tell(console(), aa_test.summed_up(checks))
        say(console(), f"records: {folder}")
    _exit_by(checks)


def _show(checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        print_json(checks)
    else:
        from harness.report.selftest import selftest_table

        console().print(selftest_table(checks))


def _exit_by(checks: Sequence[Check]) -> None:
    if any(check.held is False for check in checks):
        sys.exit(ExitCode.CHECK_FAILED)
    if all(check.held is None for check in checks) or any(
        check.held is None and not check.too_short for check in checks
    ):
        sys.exit(ExitCode.DRIVER_NOT_VALID)
