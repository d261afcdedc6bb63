"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harness.errors import ChatbenchError, ExitCode, Interrupted, UsageError
from harness.option_file import config_option
from harness.options import (
    ARCH,
    ARCH_SET,
    DEDUP,
    FAULT,
    RATE,
    RATE_HELP,
    complete_architecture,
    load_options,
    shape_options,
)
from harness.quantities import COUNT, DURATION, NUMBER, SIZE


class Commands(click.Group):
    """Prints our errors as one sentence, and exits with the codes of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChatbenchError as problem:
            if ctx.params["debug"]:
                raise
            click.echo(f"chatbench: {problem}", err=True)
            sys.exit(problem.exit_code)
        except OSError as problem:  # a full disk, most likely
            if ctx.params["debug"]:
                raise
            click.echo(f"chatbench: {problem}; --debug shows where", err=True)
            sys.exit(ExitCode.SERVICE_FAILED)
        except Interrupted as where:
            click.echo(f"chatbench: interrupted; what was measured until then is in {where}", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="chatbench")
def main(debug: bool) -> None:
    """Compare chat-broadcast architectures on real Kafka and real Redis.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench compare --scenario many_rooms --gateways 4
      chatbench capacity --arch redis
      chatbench faults --arch plan2
      chatbench claims
      chatbench advise --rooms 1k --members-per-room 50 --rate 500
      chatbench selftest
      chatbench ui --arch plan2
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench list
      chatbench doctor
    """


@main.command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@RATE
@FAULT
@load_options
@click.option("--json", "as_json", is_flag=True, help="Print summary.json alone on stdout.")
def run(as_json: bool, **given: Any) -> None:
    """Run one architecture for real, check every delivery, and record what it cost.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench run --arch plan1 --members 1k --rate 20 --duration 1m
      chatbench run --arch plan1 --gateways 2 --partitions 4 --dedup
      chatbench run --arch naive --gateways 4 --duration 10s --json
      chatbench run --arch plan2 --fault kill:gateway@10s
      chatbench run --arch plan1 --brokers 3 --fault pause:broker:3s@5s --fault kill:gateway@15s

    Exit codes: 0 ran, 2 usage, 3 a service failed, 4 the driver was not valid, 130 interrupted.
    """
    # Imported here so that `chatbench --help` need not wait for what only a run needs.
    from rich.console import Console  # noqa: PLC0415

    from harness.config import RunSettings  # noqa: PLC0415
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.report.progress import RunProgress  # noqa: PLC0415
    from harness.run import run_once  # noqa: PLC0415

    settings = RunSettings(**given)
    architecture = load_architecture(settings.arch)
    with RunProgress(Console(stderr=True)) as progress:
        outcome = run_once(settings, architecture, progress)
        progress.step("report", "charts and page")
        from harness.report.html import write_report  # noqa: PLC0415 - after the run: it takes a second

        page, _ = write_report([outcome.folder], outcome.folder)
    if as_json:
        click.echo((outcome.folder / "summary.json").read_text(), nl=False)
    else:
        from harness.report.table import summary_table, verdict_lines  # noqa: PLC0415

        out = Console()
        out.print(summary_table(outcome.summary))
        for line in verdict_lines(outcome.summary):
            out.print(line, highlight=False, soft_wrap=True)
        out.print(f"record: {outcome.folder}\nreport: {page}", highlight=False, soft_wrap=True)
    if outcome.summary.driver.valid is False:
        if as_json:
            click.echo(f"chatbench: the driver was not valid: {outcome.summary.driver.why}", err=True)
        sys.exit(ExitCode.DRIVER_NOT_VALID)


ASKED = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)  # by the user, here or in a file
THE_FOUR = ("plan1", "plan2", "redis", "kafka-redis")


@main.command()
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_architecture,
    help=f"Give it twice or more.  [default: {', '.join(THE_FOUR)}]",
)
@click.option("--rounds", type=COUNT, default=3, show_default=True, metavar="N", help="How often each is run.")
@shape_options
@ARCH_SET
@FAULT
@click.option(
    "--rate",
    "rates_per_s",
    type=NUMBER,
    multiple=True,
    metavar="N",
    help=f"{RATE_HELP} Several are taken.  [20]",
)
@load_options
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Go on with an interrupted comparison; everything else is as it was asked for then.",
)
def compare(
    architectures: tuple[str, ...],
    rounds: int,
    rates_per_s: tuple[float, ...],
    resume: Path | None,
    **given: Any,
) -> None:
    """Run several architectures under the same load, in interleaved rounds, and say which one to choose.

    \b
    Examples:
      chatbench compare
      chatbench compare --arch plan1 --arch redis --scenario many_rooms --gateways 4
      chatbench compare --rate 20 --rate 100 --rate 500 --duration 10s
      chatbench compare --resume results/20261123T150000Z-compare-big_room

    Exit codes: as for `chatbench run`.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness import campaign as campaigns  # noqa: PLC0415
    from harness.config import RunSettings  # noqa: PLC0415
    from harness.report.progress import CampaignProgress  # noqa: PLC0415

    if resume is not None:
        _refuse_beside_resume(click.get_current_context())
        campaign, folder = campaigns.resume(resume), resume
    else:
        names = architectures or THE_FOUR
        campaign = campaigns.Campaign(
            architectures=names,
            rates_per_s=rates_per_s or (20.0,),
            rounds=rounds,
            common=RunSettings(arch=names[0], **given),
        )
        folder = campaigns.begin(campaign, campaign.common.out)
    with CampaignProgress(Console(stderr=True), len(list(campaigns.plan(campaign, folder)))) as progress:
        outcomes = campaigns.run_campaign(campaign, folder, progress)
        progress.step("report", "charts and page")
        _report([folder], folder)
    if any(outcome.summary.driver.valid is False for outcome in outcomes):
        sys.exit(ExitCode.DRIVER_NOT_VALID)


def _refuse_beside_resume(context: click.Context) -> None:
    asked = [name for name in context.params if context.get_parameter_source(name) in ASKED and name != "resume"]
    if asked:
        options = ", ".join(max(each.opts, key=len) for each in context.command.params if each.name in asked)
        raise UsageError(f"--resume goes on as it was asked for then, so leave {options} out")


# Many rooms, so that some live where it breaks and some do not; short runs, since what they show is not the cost.
FAULTS_LOAD = {
    "scenario": "many_rooms",
    "rooms": "10",
    "rate_per_s": "50",
    "duration_s": "20s",
    "warmup_s": "5s",
    "brokers": "3",
}


@main.command(context_settings={"default_map": FAULTS_LOAD})
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_architecture,
    help=f"Several are taken.  [default: {', '.join(THE_FOUR)}]",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="WHAT[@WHEN]",
    help="Several are taken.  [default: all that there are]",
)
@shape_options
@ARCH_SET
@RATE
@load_options
def faults(architectures: tuple[str, ...], faults: tuple[str, ...], **given: Any) -> None:
    """Run every architecture under every fault, and say what it promised and what was seen.

    \b
    Examples:
      chatbench faults
      chatbench faults --arch redis --arch kafka-redis --fault restart:redis --fault pause:redis:3s

    If not said otherwise: 50 messages a second in 10 rooms, three brokers, 20 s a cell and 40 s where something is
    killed; some 15 minutes in all. Exit code 5: a promise was broken.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness import fault_matrix  # noqa: PLC0415
    from harness.config import RunSettings  # noqa: PLC0415
    from harness.report.progress import CampaignProgress  # noqa: PLC0415

    names = architectures or THE_FOUR
    common = RunSettings(arch=names[0], **given)
    cells = fault_matrix.plan(common, names, faults or fault_matrix.FAULTS)
    with CampaignProgress(Console(stderr=True), len(cells)) as progress:
        matrix, folder = fault_matrix.run_matrix(cells, common, progress)
    from harness.report.table import faults_table  # noqa: PLC0415 - after the runs: it takes a second

    (folder / "faults.md").write_text(fault_matrix.markdown(matrix), encoding="utf-8")
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(faults_table(matrix))
    for cell in matrix.cells:
        if cell.why:
            console.print(f"{cell.arch}, {cell.fault}: {cell.why}", highlight=False, soft_wrap=True)
    console.print(f"records: {folder}\ntable: {folder / 'faults.md'}", highlight=False, soft_wrap=True)
    if any(cell.held is False for cell in matrix.cells):
        sys.exit(ExitCode.CHECK_FAILED)


@main.command()
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Several are taken.  [default: all, C1 to C9]")
@click.option(
    "--rounds", type=COUNT, default=3, show_default=True, metavar="N", help="Of what compares latency or CPU."
)
@click.option("--duration", "duration_s", type=DURATION, default="10s", show_default=True, help="Of each measurement.")
@click.option(
    "--warmup", "warmup_s", type=DURATION, default="5s", show_default=True, help="Load before that, discarded."
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Of the load's random choices.")
@click.option("--out", default="results", show_default=True, metavar="DIR", help="Where records are written.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with an interrupted one.")
@click.option("--from", "measured", type=click.Path(path_type=Path), metavar="DIR", help="Judge that one; run nothing.")
def claims(out: str, resume: Path | None, measured: Path | None, **effort: Any) -> None:
    """Test what the design note claims: an experiment, a verdict and a chart for each of its claims.

    \b
    Examples:
      chatbench claims
      chatbench claims --claim C1 --claim C6
      chatbench claims --rounds 1 --duration 3s --warmup 1s
      chatbench claims --from results/reference/claims --out results/claims_again

    Some 30 minutes if not said otherwise.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.claims import study  # noqa: PLC0415
    from harness.claims.experiments import Effort  # noqa: PLC0415
    from harness.config import make_out_dir  # noqa: PLC0415
    from harness.report.progress import CampaignProgress  # noqa: PLC0415

    if measured is not None:
        folder, written = measured, make_out_dir(out)
    else:
        if resume is None:
            wanted = Effort(**effort)
            folder = study.begin(wanted, out)
        else:
            _refuse_beside_resume(click.get_current_context())
            wanted, folder = study.resume(resume), resume
        with CampaignProgress(Console(stderr=True), study.steps(wanted, folder)) as progress:
            study.run_study(wanted, folder, progress)
        written = folder
    findings = study.judge(folder)
    page = study.write_findings(findings, written)
    from harness.report.table import claims_table  # noqa: PLC0415 - after the runs: it takes a second

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(claims_table(findings))
    console.print(f"records: {folder}\npage: {page}", highlight=False, soft_wrap=True)


@main.command()
@click.option("--rounds", type=COUNT, default=1, show_default=True, metavar="N", help="How often each is run.")
@click.option("--duration", "duration_s", type=DURATION, default="8s", show_default=True, help="Of each measurement.")
@click.option(
    "--warmup", "warmup_s", type=DURATION, default="2s", show_default=True, help="Load before each, discarded."
)
@click.option("--jvm-warmup", "jvm_warmup_s", type=DURATION, default="45s", show_default=True, help="Once, before all.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Of the load's random choices.")
@click.option("--out", default="results", show_default=True, metavar="DIR", help="Where records are written.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with an interrupted one.")
@click.option("--from", "measured", type=click.Path(path_type=Path), metavar="DIR", help="Fit that one; run nothing.")
def costs(out: str, resume: Path | None, measured: Path | None, **effort: Any) -> None:
    """Measure what each message, copy, write and member costs, and check the predictions that follow from it.

    \b
    Examples:
      chatbench costs
      chatbench costs --from results/reference/costs --out results/costs_again

    Some 30 minutes if not said otherwise. `chatbench advise` answers from what it found.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.config import make_out_dir  # noqa: PLC0415
    from harness.costs import study  # noqa: PLC0415
    from harness.costs.check import summed_up  # noqa: PLC0415
    from harness.costs.grid import Effort, plan  # noqa: PLC0415
    from harness.report.progress import CampaignProgress  # noqa: PLC0415

    if measured is not None:
        folder, written = measured, make_out_dir(out)
    else:
        if resume is None:
            wanted = Effort(**effort)
            folder = study.begin(wanted, out)
        else:
            _refuse_beside_resume(click.get_current_context())
            wanted, folder = study.resume(resume), resume
        with CampaignProgress(Console(stderr=True), len(plan(wanted, folder))) as progress:
            study.run_study(wanted, folder, progress)
        written = folder
    model, checked = study.fit_and_check(folder)
    path = study.write_costs(model, checked, written)
    from harness.report.table import held_out_table  # noqa: PLC0415 - after the runs: it takes a second

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(held_out_table(summed_up(checked)))
    console.print(f"records: {folder}\nunit costs: {path}", highlight=False, soft_wrap=True)


@main.command()
@click.option("--rooms", type=COUNT, required=True, metavar="N", help="How many rooms there are.")
@click.option("--members-per-room", type=NUMBER, required=True, metavar="N", help="On average.")
@click.option("--rate", "rate_per_s", type=NUMBER, required=True, metavar="N", help="Messages per second of all rooms.")
@click.option(
    "--payload", "payload_bytes", type=SIZE, default=100, show_default=True, metavar="SIZE", help="Of a text."
)
@click.option("--durable", is_flag=True, help="An acked message must survive the restart of the backend.")
@click.option("--replay", is_flag=True, help="What was said must be there to be read later.")
@click.option("--costs", type=click.Path(path_type=Path), metavar="DIR", help="Of `chatbench costs`.  [the reference]")
@click.option(
    "--claims", type=click.Path(path_type=Path), metavar="DIR", help="Of `chatbench claims`.  [the reference]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer alone on stdout, as JSON.")
def advise(costs: Path | None, claims: Path | None, as_json: bool, **wished: Any) -> None:
    """Say which architecture suits a chat of these sizes, what each would cost, and what would change the answer.

    \b
    Examples:
      chatbench advise --rooms 1 --members-per-room 100k --rate 50
      chatbench advise --rooms 200k --members-per-room 5 --rate 20k --durable
      chatbench advise --rooms 1k --members-per-room 200 --rate 2k --replay --json

    It goes by measured runs, of the reference in the checkout if no others are named.
    """
    import msgspec  # noqa: PLC0415 - as in run
    from rich.console import Console  # noqa: PLC0415

    from harness.costs import advice  # noqa: PLC0415
    from harness.costs.study import read_knowledge  # noqa: PLC0415
    from harness.report.table import advice_lines, advice_table  # noqa: PLC0415

    reference = Path(__file__).parents[1] / "results" / "reference"
    knowledge = read_knowledge(costs or reference / "costs", claims or reference / "claims")
    given = advice.advise(advice.checked(advice.Wish(**wished)), knowledge)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(given)))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=170)
    console.print(advice_table(given))
    for line in advice_lines(given):
        console.print(line, highlight=False, soft_wrap=True)


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to write.  [default: the first DIR]")
def report(folders: tuple[Path, ...], out: Path | None) -> None:
    """Make the report again, from records alone: tables, charts, frames and report.html.

    \b
    Examples:
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench report results/*-plan1-big_room results/*-redis-big_room --out results/both
    """
    from harness.config import make_out_dir  # noqa: PLC0415 - as in run

    _report(folders, folders[0] if out is None else make_out_dir(str(out)))


def _report(folders: Sequence[Path], out: Path) -> None:
    """Write it, and print its verdicts and tables."""
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.report.html import write_report  # noqa: PLC0415
    from harness.report.table import comparison_table  # noqa: PLC0415

    page, comparisons = write_report(folders, out)
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # nobody's window says how wide: enough for six architectures
    for comparison in comparisons:
        console.print(comparison_table(comparison))
        verdict = comparison.verdict
        choice = f"For this workload: [bold]{verdict.choice}[/], because {verdict.because[0]}"
        for line in (choice, *verdict.because[1:], *verdict.out):
            console.print(line, highlight=False, soft_wrap=True)
        console.print()
    console.print(f"report: {page}\nframes: {out / 'frames'}", highlight=False, soft_wrap=True)


@main.command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where gateways listen.")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="Pages that may connect, beside this host's.")
@config_option
def up(bind: str, origins: tuple[str, ...], **given: Any) -> None:
    """Start services and gateways, print the gateways' addresses as JSON, and stay until interrupted.

    With CHATBENCH_TOKEN set, gateways serve only who shows it (`Authorization: Bearer ...`, or `?token=...`), as
    members of a scenario do where it is set as well. It is needed where others can reach them.

    Meanwhile `chatbench run` takes these services instead of starting its own, if they are what it needs: one run at a
    time, and none with faults.

    \b
    Examples:
      chatbench up --arch plan1
      CHATBENCH_TOKEN=$(openssl rand -hex 16) chatbench up --arch plan1 --bind 192.168.1.20
      locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002
    """
    from harness.config import RunSettings  # noqa: PLC0415 - as in run
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.up import exposure_of, stay_up  # noqa: PLC0415

    settings = RunSettings(**given)
    stay_up(settings, load_architecture(settings.arch), exposure_of(bind, origins), click.echo)


@main.command(context_settings={"default_map": {"duration_s": "10s", "warmup_s": "3s"}})
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@click.option(
    "--slo", "p99_s", type=DURATION, default="200ms", show_default=True, help="p99 of delivery must stay below."
)
@click.option("--from", "start_per_s", type=NUMBER, default=50.0, show_default=True, metavar="N", help="First rate.")
@click.option(
    "--precision", type=float, default=0.1, show_default=True, help="How close held and broke must lie, as a share."
)
@click.option(
    "--repeats", type=COUNT, default=3, show_default=True, metavar="N", help="Runs that must hold at the end."
)
@load_options
@click.option("--json", "as_json", is_flag=True, help="Print capacity.json alone on stdout.")
def capacity(p99_s: float, start_per_s: float, precision: float, repeats: int, as_json: bool, **given: Any) -> None:
    """Find the highest rate at which p99 of delivery stays below --slo, nothing is lost and the driver keeps up.

    \b
    Examples:
      chatbench capacity --arch redis
      chatbench capacity --arch plan2 --scenario many_rooms --gateways 4 --slo 100ms

    The rate is doubled until the objective breaks, then narrowed down, then run again. Exit codes: as for run.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.capacity import FOUND, Objective, Plan, find_capacity  # noqa: PLC0415
    from harness.config import RunSettings  # noqa: PLC0415
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.report.progress import RunProgress  # noqa: PLC0415

    settings = RunSettings(**given)
    plan = Plan(objective=Objective(p99_ms=p99_s * 1000), start_per_s=start_per_s, precision=precision, repeats=repeats)
    with RunProgress(Console(stderr=True)) as progress:
        found, folder = find_capacity(settings, load_architecture(settings.arch), plan, progress)
        progress.step("report", "chart")
        from harness.report.charts import hockey_stick  # noqa: PLC0415 - after the runs: it takes a second
        from harness.report.style import save  # noqa: PLC0415
        from harness.report.table import capacity_lines, capacity_table  # noqa: PLC0415

        chart = save(hockey_stick(found), folder / "charts", "capacity")
    if as_json:
        click.echo((folder / FOUND).read_text(), nl=False)
        return
    out = Console()
    out.print(capacity_table(found))
    for line in (*capacity_lines(found), f"record: {folder}", f"chart: {chart.with_suffix('.png')}"):
        out.print(line, highlight=False, soft_wrap=True)


@main.command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@RATE
@load_options
@click.option("--port", type=COUNT, default=8089, show_default=True, metavar="N", help="Of the web UI, on loopback.")
@click.option("--open", "open_browser", is_flag=True, help="Open it in your browser.")
def ui(port: int, open_browser: bool, **given: Any) -> None:
    """Start services and gateways, and Locust's web UI to run tests in, each with a record of its own.

    \b
    Examples:
      chatbench ui --arch plan2
      chatbench ui --arch redis --scenario spike --rate 200 --open

    What is given here are the fields' first values. --duration counts for nothing: a test ends when it is stopped.
    """
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.config import RunSettings  # noqa: PLC0415
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.report.progress import RunProgress  # noqa: PLC0415
    from harness.ui import serve_ui  # noqa: PLC0415

    def say(text: str) -> None:
        click.echo(text)
        if open_browser and text.startswith("web UI: "):
            click.launch(text.split()[2])

    settings = RunSettings(**given)
    with RunProgress(Console(stderr=True)) as progress:
        serve_ui(settings, load_architecture(settings.arch), port, progress, say)


@main.command()
@click.option("--out", default="results", show_default=True, metavar="DIR", help="Where records are written.")
@click.option("--json", "as_json", is_flag=True, help="Print selftest.json alone on stdout.")
def selftest(out: str, as_json: bool) -> None:
    """Inject losses, copies, swaps, delays, a stall and a starved driver, and check what chatbench reports of them.

    \b
    Examples:
      chatbench selftest
      chatbench selftest --json

    Takes less than two minutes. Exit codes: 0 all held, 5 a figure was wrong, 4 the machine was too busy to tell.
    """
    import msgspec  # noqa: PLC0415 - as in run
    from rich.console import Console  # noqa: PLC0415

    from harness.report.progress import RunProgress  # noqa: PLC0415
    from harness.selftest import run_selftest  # noqa: PLC0415

    with RunProgress(Console(stderr=True)) as progress:
        checks = list(run_selftest(out, progress))
    if as_json:
        click.echo(msgspec.json.encode(checks).decode())
    else:
        from harness.report.table import selftest_table  # noqa: PLC0415 - after the runs: it takes a second

        Console(width=None if sys.stdout.isatty() else 120).print(selftest_table(checks))
    if any(check.held is False for check in checks):
        sys.exit(ExitCode.CHECK_FAILED)
    if any(check.held is None for check in checks):
        sys.exit(ExitCode.DRIVER_NOT_VALID)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, architectures and scenarios.

    \b
    Examples:
      eval "$(chatbench completion bash)"        once, or in ~/.bashrc
      eval "$(chatbench completion zsh)"         once, or in ~/.zshrc
      chatbench completion fish > ~/.config/fish/completions/chatbench.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - only here

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(main, {}, "chatbench", "_CHATBENCH_COMPLETE").source())


@main.command(name="list")
def list_command() -> None:
    """List the architectures and scenarios that can be run."""
    from rich import box  # noqa: PLC0415 - as in run
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from harness import registry  # noqa: PLC0415

    columns = ("architecture", "needs", "how a message gets there", "options (--arch-set)")
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in registry.architecture_names():
        architecture = registry.load_architecture(name)
        needs = [what for what in ("kafka", "redis") if getattr(architecture.requires, what)]
        options = "\n".join(f"{option}={default}" for option, default in architecture.options.items())
        table.add_row(name, " + ".join(needs) or "-", architecture.summary, options or "-")
    scenarios = Table("scenario", "whose chat", "options (--set)", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, path in registry.scenario_files().items():
        options = "\n".join(f"{option}={default:g}" for option, default in registry.scenario_options(path).items())
        scenarios.add_row(name, registry.scenario_summary(path), options or "-")
    out = Console()
    out.print(table)
    out.print(scenarios)


@main.command()
def doctor() -> None:
    """Say what is there, what would be downloaded, and what is too small."""
    from rich.console import Console  # noqa: PLC0415 - as in run

    from harness.doctor import examine  # noqa: PLC0415

    out = Console()
    for finding in examine():
        mark = "[green]ok[/]  " if finding.ok else "[yellow]look[/]"
        out.print(f"{mark} {finding.what:<28} {finding.found}", highlight=False, soft_wrap=True)
        if not finding.ok and finding.advice:
            out.print(f"     {'':<28} {finding.advice}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
