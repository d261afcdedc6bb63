"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from harness.errors import ChatbenchError, ExitCode, Interrupted

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """Seconds as people write them: 30s, 2m, 1.5h, 500ms, or a bare number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip().lower()
        number = text.rstrip("hms")
        unit = text[len(number) :] or "s"
        try:
            return float(number) * UNITS_S[unit]
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no duration; write it like 30s, 2m or 500ms", param, ctx)


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
      chatbench run --arch naive --gateways 4 --duration 10s
      chatbench list
      chatbench doctor
    """


def shape_options(command: Callable[..., None]) -> Callable[..., None]:
    """What shapes the services, for `run` and `up`."""
    for option in reversed(
        [
            click.option("--arch", required=True, metavar="NAME", help="Architecture; `chatbench list` names them."),
            click.option("--gateways", type=int, metavar="N", help="Gateway processes.  [default: 2; direct: 1]"),
            click.option(
                "--brokers", type=int, default=1, show_default=True, metavar="N", help="Kafka brokers, 1 or 3."
            ),
            click.option("--partitions", type=int, metavar="N", help="Kafka partitions.  [default: one per gateway]"),
            click.option("--dedup", is_flag=True, help="plan1: drop copies that come by several partitions."),
        ]
    ):
        command = option(command)
    return command


@main.command()
@shape_options
@click.option("--scenario", default="big_room", show_default=True, metavar="NAME|PATH", help="A locustfile.")
@click.option("--members", type=int, default=100, show_default=True, metavar="N", help="Members of all rooms together.")
@click.option("--rooms", type=int, metavar="N", help="Rooms.  [default: the scenario's own]")
@click.option(
    "--rate",
    type=float,
    default=20.0,
    show_default=True,
    metavar="MSG_PER_S",
    help="Messages per second of all members together.",
)
@click.option("--payload", type=int, default=100, show_default=True, metavar="BYTES", help="Size of a message's text.")
@click.option("--duration", type=Duration(), default="30s", show_default=True, help="How long to measure.")
@click.option("--warmup", type=Duration(), default="10s", show_default=True, help="Load before that, discarded.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Of the load's random choices.")
@click.option("--out", default="results", show_default=True, metavar="DIR", help="Where records are written.")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json alone on stdout.")
def run(as_json: bool, rate: float, payload: int, duration: float, warmup: float, **options: Any) -> None:
    """Run one architecture for real, check every delivery, and record what it cost.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench run --arch plan1 --members 1000 --rate 20 --duration 1m
      chatbench run --arch plan1 --gateways 2 --partitions 4 --dedup
      chatbench run --arch naive --gateways 4 --duration 10s --json

    Exit codes: 0 ran, 2 usage, 3 a service failed, 4 the driver was not valid, 130 interrupted.
    """
    # Imported here so that `chatbench --help` need not wait for what only a run needs.
    from rich.console import Console  # noqa: PLC0415

    from harness.config import RunSettings  # noqa: PLC0415
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.report.progress import RunProgress  # noqa: PLC0415
    from harness.run import run_once  # noqa: PLC0415

    settings = RunSettings(rate_per_s=rate, payload_bytes=payload, duration_s=duration, warmup_s=warmup, **options)
    architecture = load_architecture(settings.arch)
    errors = Console(stderr=True)
    with RunProgress(errors) as progress:
        outcome = run_once(settings, architecture, progress)
        progress.step("chart", "latency over time")
        from harness.report.charts import draw_latency_over_time  # noqa: PLC0415 - after the run: it takes a second

        chart = draw_latency_over_time(outcome.folder)
    if as_json:
        click.echo((outcome.folder / "summary.json").read_text(), nl=False)
    else:
        from harness.report.table import summary_table, verdict_lines  # noqa: PLC0415

        out = Console()
        out.print(summary_table(outcome.summary))
        for line in verdict_lines(outcome.summary):
            out.print(line, highlight=False, soft_wrap=True)
        out.print(f"record: {outcome.folder}\nchart:  {chart}", highlight=False, soft_wrap=True)
    if outcome.summary.driver.valid is False:
        if as_json:
            click.echo(f"chatbench: the driver was not valid: {outcome.summary.driver.why}", err=True)
        sys.exit(ExitCode.DRIVER_NOT_VALID)


@main.command()
@shape_options
def up(**options: Any) -> None:
    """Start services and gateways, print the gateways' addresses as JSON, and stay until interrupted.

    \b
    Example:
      chatbench up --arch plan1
      locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002
    """
    from harness.config import RunSettings  # noqa: PLC0415 - as in run
    from harness.registry import load_architecture  # noqa: PLC0415
    from harness.up import stay_up  # noqa: PLC0415

    settings = RunSettings(**options)
    stay_up(settings, load_architecture(settings.arch), click.echo)


@main.command(name="list")
def list_command() -> None:
    """List the architectures and scenarios that can be run."""
    from rich import box  # noqa: PLC0415 - as in run
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from harness import registry  # noqa: PLC0415

    table = Table("architecture", "needs", "how a message gets there", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in registry.architecture_names():
        architecture = registry.load_architecture(name)
        needs = [what for what in ("kafka", "redis") if getattr(architecture.requires, what)]
        table.add_row(name, " + ".join(needs) or "-", architecture.summary)
    scenarios = Table("scenario", "whose chat", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, path in registry.scenario_files().items():
        scenarios.add_row(name, registry.scenario_summary(path))
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
