"""How costs grow: gateway and driver with the number of members, the broker with the number of partitions.

    python -m benchmarks.growth members
    python -m benchmarks.growth partitions --rounds 2

Each point is a real run. `members` uses redis, one big room and a constant rate, so that only the members differ.
`partitions` uses two members, so that the broker's work per message dominates. The broker is started once and warmed up
by runs that are discarded, and architectures and partitions take turns. A line a + b x is fitted by least squares; the
interval of b comes from numpy's covariance (1.96 standard errors).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from architectures.interface import Requirements
from harness.core.open_files import raise_open_file_limit
from harness.core.registry import find_scenario, load_architecture
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.validation import validate
from harness.runs.record import Record
from harness.runs.run import run_on
from harness.runs.summary import Summary
from harness.services.backends import Backends

MIB = 1 << 20


class Quiet:
    """A progress that shows nothing."""

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        pass

    def update(self, completed: float, detail: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Bench:
    """Backends that stay up from run to run."""

    backends: Backends
    folder: Path

    def run(self, settings: RunSettings) -> Summary:
        architecture = load_architecture(settings.arch)
        validate(settings, architecture)
        scenario = find_scenario(settings.scenario)
        record = Record(self.folder, settings, scenario.stem, architecture)
        summary = run_on(self.backends, record, architecture, scenario, Quiet()).summary
        if summary.lost or summary.duplicated or summary.driver.valid is False:
            print(f"{settings.arch}: lost {summary.lost}, doubled {summary.duplicated}, {summary.driver.why}")
        print(".", end="", file=sys.stderr, flush=True)
        return summary


@contextmanager
def bench(requires: Requirements) -> Iterator[Bench]:
    raise_open_file_limit()
    with tempfile.TemporaryDirectory() as folder, signals_interrupt():
        backends = Backends(requires, 1, Path(folder))
        try:
            backends.begin(lambda what, done, total: print(f"{what}: {done} of {total}"))
            yield Bench(backends, Path(folder))
        finally:
            with signals_wait():
                backends.stop()


def fitted(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Return (a, b, half of b's 95 % interval) of y = a + b x. It needs at least four points."""
    (slope, intercept), covariance = np.polyfit(xs, ys, 1, cov=True)
    return float(intercept), float(slope), 1.96 * float(np.sqrt(covariance[0, 0]))


@click.group()
def main() -> None:
    """Measure how costs grow."""


@main.command()
@click.option("--counts", default="100,1000,3000,10000", show_default=True)
@click.option("--rate", "rate_per_s", default=2.0, show_default=True, help="Messages per second in the room.")
@click.option("--seconds", default=10.0, show_default=True)
def members(counts: str, rate_per_s: float, seconds: float) -> None:
    """Measure CPU and memory of gateways and driver for several numbers of members."""
    rows: list[tuple[float, ...]] = []
    with bench(Requirements(redis=True)) as running:
        for count in map(int, counts.split(",")):
            summary = running.run(
                RunSettings(arch="redis", members=count, rate_per_s=rate_per_s, duration_s=seconds, warmup_s=3)
            )
            assert summary.cores_used is not None
            assert summary.rss_bytes is not None
            driver = sum(cores for name, cores in summary.cores_used.items() if name not in {"gateway", "redis"})
            driver_bytes = sum(used for name, used in summary.rss_bytes.items() if name not in {"gateway", "redis"})
            rows.append(
                (
                    count,
                    1e3 * summary.cores_used["gateway"],
                    1e3 * driver,
                    summary.rss_bytes["gateway"] / MIB,
                    driver_bytes / MIB,
                )
            )
    titles = ("gateway CPU, ms/s", "driver CPU, ms/s", "gateway MiB", "driver MiB")
    table = Table(title=f"redis, one room, {rate_per_s:g} messages/s, two gateways")
    for title in ("members", *titles):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(f"{row[0]:,.0f}", *(f"{each:.1f}" for each in row[1:]))
    table.add_section()
    fits = [fitted([row[0] for row in rows], [row[column] for row in rows]) for column in range(1, 5)]
    in_us, in_kib = 1e3, 1024
    units = [(in_us, "us/s"), (in_us, "us/s"), (in_kib, "KiB"), (in_kib, "KiB")]
    table.add_row(
        "per member",
        *(
            f"{slope * times:.1f} ± {half * times:.1f} {unit}"
            for (_, slope, half), (times, unit) in zip(fits, units, strict=True)
        ),
    )
    table.add_row("no members", *(f"{intercept:.1f}" for intercept, _, _ in fits))
    print(file=sys.stderr)
    Console(width=120).print(table)


@main.command()
@click.option("--counts", default="1,2,4,8", show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--rate", "rate_per_s", default=500.0, show_default=True, help="Messages per second.")
@click.option("--seconds", default=8.0, show_default=True)
def partitions(counts: str, rounds: int, rate_per_s: float, seconds: float) -> None:
    """Measure CPU, records and disk bytes of the broker per message, for several numbers of partitions."""
    architectures = ("plan1", "plan2", "kafka-redis")
    numbers = [int(each) for each in counts.split(",")]
    measured: dict[tuple[str, int], list[tuple[float, float, float]]] = {}

    def settings(arch: str, count: int, duration_s: float) -> RunSettings:
        return RunSettings(
            arch=arch,
            members=2,
            rate_per_s=rate_per_s,
            duration_s=duration_s,
            warmup_s=3,
            gateways=1,
            partitions=count,
            arch_options=("dedup=1",) if arch == "plan1" else (),
        )

    with bench(Requirements(kafka=True, redis=True)) as running:
        for arch in architectures:
            running.run(settings(arch, max(numbers), 20))  # long enough for the JVM to compile the hot code
        for _ in range(rounds):
            for count in numbers:
                for arch in architectures:
                    summary = running.run(settings(arch, count, seconds))
                    cpu_us, sent = summary.cpu_us_per_delivery.kafka, summary.sent
                    assert summary.kafka is not None
                    assert sent
                    assert cpu_us is not None
                    assert summary.delivered is not None
                    figures = (
                        cpu_us * summary.delivered / sent,
                        summary.kafka.records_per_message or 0,
                        summary.kafka.disk_bytes_per_message or 0,
                    )
                    measured.setdefault((arch, count), []).append(figures)
    table = Table(title=f"per message, one gateway, {rate_per_s:g} messages/s, {rounds} rounds of {seconds:g} s")
    for title in ("architecture", "partitions", "broker CPU, us", "records", "disk bytes"):
        table.add_column(title, justify="right")
    for arch in architectures:
        for count in numbers:
            means = np.mean(measured[arch, count], axis=0)
            table.add_row(arch, str(count), *(f"{each:.0f}" for each in means))
        xs = [count for count in numbers for _ in measured[arch, count]]
        slopes = []
        for column in range(3):
            ys = [figures[column] for count in numbers for figures in measured[arch, count]]
            _, slope, half = fitted(xs, ys)
            slopes.append(f"{slope:+.1f} ± {half:.1f}")
        table.add_row("", "per partition", *slopes)
        table.add_section()
    print(file=sys.stderr)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
