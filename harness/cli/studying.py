"""`chatbench claims`, `costs` and `advise`: studies of many runs, and what can be told from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from harness.cli import conflicts as beside
from harness.cli.console import campaign_progress, console, json_option, print_json, say, tell
from harness.cli.help import command
from harness.cli.options import OUT, SEED, together
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import COUNT, DURATION, FOLDER, NUMBER, SIZE

if TYPE_CHECKING:
    from harness.core.progress import CampaignProgress

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
Effort = TypeVar("Effort")


class Study(Protocol[Effort]):
    """The modules claims.study and costs.study."""

    def begin(self, effort: Effort, out: str) -> Path: ...
    def resume(self, folder: Path) -> Effort: ...
    def steps(self, effort: Effort, folder: Path) -> int: ...
    def run_study(self, effort: Effort, folder: Path, progress: CampaignProgress) -> None: ...


study_options = together(
    SEED,
    OUT,
    RESUME,
    click.option("--from", "measured", type=FOLDER, metavar="DIR", help="Tell from that one; run nothing."),
)


def _runs_of(study: Study[Effort], asked: Effort, out: str, resume: Path | None) -> Path:
    """The folder of a study all of whose runs are there, because those that were missing were run."""
    if resume is None:
        wanted, folder = asked, study.begin(asked, out)
    else:
        refuse_beside_resume()
        wanted, folder = study.resume(resume), resume
    with campaign_progress(study.steps(wanted, folder)) as progress:
        study.run_study(wanted, folder, progress)
    return folder


def _refuse_beside_from(*but: str) -> None:
    beside.refuse(None, "--from tells from what was measured and runs nothing", but=["--from", "--out", "--json", *but])


@command()
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Several are taken.  [default: all, C1 to C9]")
@click.option(
    "--rounds", type=COUNT, default=3, show_default=True, metavar="N", help="Of what compares latency or CPU."
)
@click.option("--duration", "duration_s", type=DURATION, default="10s", show_default=True, help="Of each measurement.")
@click.option(
    "--warmup", "warmup_s", type=DURATION, default="5s", show_default=True, help="Load before that, discarded."
)
@study_options
@json_option("findings.json")
def claims(out: str, resume: Path | None, measured: Path | None, as_json: bool, **effort: Any) -> None:
    """Test what the design note claims: an experiment, a verdict and a chart for each of its claims.

    \b
    Examples:
      chatbench claims
      chatbench claims --claim C1 --claim C6
      chatbench claims --rounds 1 --duration 3s --warmup 1s
      chatbench claims --from results/reference/claims --out results/claims_again
      chatbench claims --from results/reference/claims --claim C6 --out results/claim_6

    Some 30 minutes if not said otherwise.
    """
    from harness.core.settings import make_out_dir  # noqa: PLC0415
    from harness.experiments.claims import study  # noqa: PLC0415 - see comparing.py
    from harness.experiments.claims.experiments import Effort  # noqa: PLC0415

    wanted = Effort(**effort)
    if measured is not None:
        _refuse_beside_from("--claim")
    elif resume is None and wanted.rounds > 1 and not study.rounds_count(wanted):
        beside.refuse(["rounds"], f"{', '.join(wanted.claims)} takes one round, whatever is asked for")
    records = measured or _runs_of(study, wanted, out, resume)
    findings = study.judge(records, wanted.claims if measured else ())
    page = study.write_findings(findings, make_out_dir(out) if measured else records)
    if as_json:
        print_json(study.rows_of(findings))
        return
    from harness.report.table import claims_table  # noqa: PLC0415 - after the runs: it takes a second

    answer = console()
    answer.print(claims_table(findings))
    say(answer, f"records: {records}", f"page: {page}")


@command()
@click.option("--rounds", type=COUNT, default=1, show_default=True, metavar="N", help="How often each is run.")
@click.option("--duration", "duration_s", type=DURATION, default="8s", show_default=True, help="Of each measurement.")
@click.option(
    "--warmup", "warmup_s", type=DURATION, default="2s", show_default=True, help="Load before each, discarded."
)
@click.option("--jvm-warmup", "jvm_warmup_s", type=DURATION, default="45s", show_default=True, help="Once, before all.")
@study_options
@json_option("unit_costs.json")
def costs(out: str, resume: Path | None, measured: Path | None, as_json: bool, **effort: Any) -> None:
    """Measure what each message, copy, write and member costs, and check the predictions that follow from it.

    \b
    Examples:
      chatbench costs
      chatbench costs --from results/reference/costs --out results/costs_again

    Some 30 minutes if not said otherwise. `chatbench advise` answers from what it found.
    """
    from harness.core.settings import make_out_dir  # noqa: PLC0415 - see comparing.py
    from harness.experiments.costs import study  # noqa: PLC0415
    from harness.experiments.costs.grid import Effort  # noqa: PLC0415
    from harness.experiments.costs.validation import summed_up  # noqa: PLC0415

    if measured is not None:
        _refuse_beside_from()
    records = measured or _runs_of(study, Effort(**effort), out, resume)
    model, checked = study.fit_and_check(records)
    path = study.write_costs(model, checked, make_out_dir(out) if measured else records)
    if as_json:
        print_json(study.fitted(model, checked))
        return
    from harness.report.table import held_out_table, unit_costs_table  # noqa: PLC0415 - after the runs: it takes a second

    answer = console()
    answer.print(unit_costs_table(model))
    answer.print()
    answer.print(held_out_table(summed_up(checked)))
    say(answer, f"records: {records}", f"unit costs: {path}")


@command()
@click.option("--rooms", type=COUNT, required=True, metavar="N", help="How many rooms there are.")
@click.option("--members-per-room", type=NUMBER, required=True, metavar="N", help="On average.")
@click.option("--rate", "rate_per_s", type=NUMBER, required=True, metavar="N", help="Messages per second of all rooms.")
@click.option(
    "--payload", "payload_bytes", type=SIZE, default=100, show_default=True, metavar="SIZE", help="Of a text."
)
@click.option("--durable", is_flag=True, help="An acked message must survive the restart of the backend.")
@click.option("--replay", is_flag=True, help="What was said must be there to be read later.")
@click.option("--costs", type=FOLDER, metavar="DIR", help="Of `chatbench costs`.  [default: the reference]")
@click.option("--claims", type=FOLDER, metavar="DIR", help="Of `chatbench claims`.  [default: the reference]")
@json_option("the answer as JSON")
def advise(costs: Path | None, claims: Path | None, as_json: bool, **wished: Any) -> None:
    """Say which architecture suits a chat of these sizes, what each would cost, and what would change the answer.

    \b
    Examples:
      chatbench advise --rooms 1 --members-per-room 100k --rate 50
      chatbench advise --rooms 200k --members-per-room 5 --rate 20k --durable
      chatbench advise --rooms 1k --members-per-room 200 --rate 2k --replay --json

    It goes by measured runs, of the reference in the checkout if no others are named.
    """
    from harness.experiments.costs import advice  # noqa: PLC0415 - see comparing.py
    from harness.experiments.costs.study import read_knowledge  # noqa: PLC0415
    from harness.report.table import LATENCY_NOTE, advice_lines, advice_table  # noqa: PLC0415

    wish = advice.checked(advice.Wish(**wished))
    given = advice.advise(wish, read_knowledge(costs or REFERENCE / "costs", claims or REFERENCE / "claims"))
    if as_json:
        print_json(given)
        return
    answer = console()
    tell(answer, *advice_lines(given))
    answer.print(advice_table(given))
    tell(answer, LATENCY_NOTE)
