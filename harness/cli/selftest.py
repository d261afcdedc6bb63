"""`chatbench selftest`: known faults are injected, and chatbench must report them."""

from __future__ import annotations

import sys

from harness.cli.console import console, json_option, print_json, run_progress
from harness.cli.help import command
from harness.cli.options import OUT
from harness.core.errors import ExitCode


@command()
@OUT
@json_option("selftest.json")
def selftest(out: str, as_json: bool) -> None:
    """Inject losses, copies, swaps, delays, a stall and a starved driver, and check what chatbench reports of them.

    \b
    Examples:
      chatbench selftest
      chatbench selftest --json

    The self-test takes less than two minutes. Exit codes: 0 every check passed, 5 a figure was wrong, 4 the machine was
    too busy to decide.
    """
    from harness.experiments.selftest import run_selftest

    with run_progress() as progress:
        checks = list(run_selftest(out, progress))
    if as_json:
        print_json(checks)
    else:
        from harness.report.selftest import selftest_table

        console().print(selftest_table(checks))
    if any(check.held is False for check in checks):
        sys.exit(ExitCode.CHECK_FAILED)
    if any(check.held is None for check in checks):
        sys.exit(ExitCode.DRIVER_NOT_VALID)
