"""`chatbench costs`: unit costs, fitted to measured runs and checked on other runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.console import console, json_option, print_json, say
from harness.cli.help import command
from harness.cli.study import refuse_beside_from, runs_of, study_options
from harness.cli.types import COUNT, DURATION


@command()
@click.option(
    "--rounds", type=COUNT, default=1, show_default=True, metavar="N", help="Number of times that each workload is run."
)
@click.option(
    "--duration", "duration_s", type=DURATION, default="4s", show_default=True, help="Length of each measurement."
)
@click.option(
    "--warmup",
    "warmup_s",
    type=DURATION,
    default="1s",
    show_default=True,
    help="Load before each measurement; its figures are discarded.",
)
@click.option(
    "--jvm-warmup",
    "jvm_warmup_s",
    type=DURATION,
    default="90s",
    show_default=True,
    help="Load on the brokers once before all measurements, so that the JVM is warm.",
)
@study_options
@json_option("unit_costs.json")
def costs(out: str, resume: Path | None, measured: Path | None, as_json: bool, **effort: Any) -> None:
    """Measure what each message, copy, write and member costs, and check the predictions that follow from it.

    \b
    Examples:
      chatbench costs
      chatbench costs --from results/reference/costs --out results/costs_again

    With the defaults this takes about an hour. `chatbench advise --costs DIR` uses the results.
    """
    from harness.core.settings import make_out_dir
    from harness.experiments.costs import study
    from harness.experiments.costs.grid import CostsPlan
    from harness.experiments.costs.validation import summed_up
    from harness.report.costs import held_out_table, identification_table, unit_costs_of, unit_costs_table, write_costs

    if measured is not None:
        refuse_beside_from()
    records = measured or runs_of(study, CostsPlan(**effort), out, resume)
    model, checked = study.fit_and_check(records)
    path = write_costs(model, checked, make_out_dir(out) if measured else records)
    if as_json:
        print_json(unit_costs_of(model, checked))
        return
    answer = console()
    answer.print(unit_costs_table(model))
    answer.print()
    answer.print(identification_table(model))
    answer.print()
    answer.print(held_out_table(summed_up(checked)))
    say(answer, f"records: {records}", f"unit costs: {path}")
