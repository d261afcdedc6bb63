"""`chatbench doctor`: what this machine has, what would be downloaded, and what is too small."""

from __future__ import annotations

from harness.cli.console import console, json_option, print_json
from harness.cli.help import command


@command()
@json_option("what was found as JSON")
def doctor(as_json: bool) -> None:
    """Check this machine: what is installed, what would be downloaded, and which limits are too low."""
    from rich.text import Text

    from harness.cli.machine_check import examine
    from harness.report.fitting import Column, Fitted

    findings = examine()
    if as_json:
        print_json(findings)
        return
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
