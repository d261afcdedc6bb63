"""The output of `chatbench selftest` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from harness.experiments.selftest import Check
from harness.report.fitting import Column, Fitted


def selftest_table(checks: Sequence[Check]) -> Fitted:
    """A row for each figure that was compared with an injected truth."""
    marks = {True: ("held", "green"), False: ("WRONG", "red"), None: ("too busy to tell", "yellow")}
    return Fitted(
        [
            Column("figure", [check.what for check in checks], folds=True),
            Column("", [Text("too few messages") if check.too_short else Text(*marks[check.held]) for check in checks]),
            Column("injected", [check.injected for check in checks], right=True),
            Column("reported", [check.reported for check in checks], right=True),
            Column("error", [check.error for check in checks], right=True, spare=2),
            Column("allowed", [check.allowed for check in checks], spare=1),
        ]
    )
