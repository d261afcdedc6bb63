"""`chatbench claims`: an experiment, a verdict and a chart for each claim of the design note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli import conflicts
from harness.cli.console import console, json_option, print_json, say
from harness.cli.help import command
from harness.cli.study import refuse_beside_from, runs_of, study_options
from harness.cli.types import COUNT, DURATION


@command()
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="ID",
    help="Claim to test; repeat it for several.  [default: all, C1 to C9]",
)
@click.option(
    "--rounds",
    type=COUNT,
    default=3,
    show_default=True,
    metavar="N",
    help="Rounds of the experiments that compare latency or CPU time.",
)
@click.option(
    "--duration", "duration_s", type=DURATION, default="10s", show_default=True, help="Length of each measurement."
)
@click.option(
    "--warmup",
    "warmup_s",
    type=DURATION,
    default="5s",
    show_default=True,
    help="Load before each measurement; its figures are discarded.",
)
@study_options
@json_option("findings.json")
def claims(out: str, resume: Path | None, measured: Path | None, as_json: bool, **effort: Any) -> None:
    """Test what the design note claims: an experiment, a verdict and a chart for each of its claims.

    A claim is supported, not supported or undecided. Its findings rest on counts, or on contrasts of rounds; one round
    decides no contrast.

    \b
    Examples:
      chatbench claims
      chatbench claims --claim C1 --claim C6
      chatbench claims --rounds 1 --duration 3s --warmup 1s
      chatbench claims --from results/reference/claims --out results/claims_again
      chatbench claims --from results/reference/claims --claim C6 --out results/claim_6

    With the defaults this takes about 30 minutes.
    """
    from harness.core.settings import make_out_dir
    from harness.experiments.claims import study
    from harness.experiments.claims.experiments import ClaimsPlan
    from harness.report.claims import claims_table, rows_of, write_findings

    plan = ClaimsPlan(**effort)
    if measured is not None:
        refuse_beside_from("--claim")
    elif resume is None and plan.rounds > 1 and not study.rounds_count(plan):
        conflicts.refuse(["rounds"], f"{', '.join(plan.claims)} always takes one round")
    records = measured or runs_of(study, plan, out, resume)
    findings = study.judge(records, plan.claims if measured else ())
    page = write_findings(findings, make_out_dir(out) if measured else records)
    if as_json:
        print_json(rows_of(findings))
        return
    answer = console()
    answer.print(claims_table(findings))
    say(answer, f"records: {records}", f"page: {page}")
