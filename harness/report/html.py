"""Write report.html, one file that needs no network, with the charts and frames that it is made of."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from harness.core.hosts import how_far_it_goes, started_by_others
from harness.report.charts import CHARTS, has_data
from harness.report.comparison import (
    Comparison,
    Report,
    Workload,
    compare,
    decision_on,
    split_by,
    under,
    workload_of,
)
from harness.report.decision import Decision, with_latencies, without_tails
from harness.report.decision_charts import charts_of
from harness.report.decision_text import MARKS_NOTE, decision_lines, decision_rows, load_text
from harness.report.decisions import decisions_of
from harness.report.inline import Chart, on_page
from harness.report.page import write_page
from harness.report.rate_charts import has_rates, throughput_and_latency
from harness.report.section import NOTHING, beside_a_decision, section_of, shape_name
from harness.report.slowest_messages import head_of, rows_of, title_of
from harness.report.style import colours_of
from harness.report.why_slower import why_slower
from harness.results import blocks
from harness.results.frames import WORKLOAD, Frames, RunRecord, frames_of, read_records
from harness.results.reading import leaving_out
from harness.results.slowest import Slowest, slowest_of
from harness.results.stage_differences import StageDifference, stage_differences
from harness.runs.manifest import Manifest

RUN_COLUMNS = (
    "round",
    "arch",
    "status",
    "sent",
    "expected",
    "lost",
    "duplicated",
    "reordered",
    "driver_valid",
    "record",
)

MEDIAN = 0.5  # of all deliveries


def write_report(folders: Sequence[Path], out: Path) -> Report:
    """Read the records in these folders, and write charts, frames and report.html to `out`.

    Returns the content of the page, its path, and what could not be read. Raises UsageError if there is nothing to
    report.
    """
    left_out: list[str] = []
    records = read_records(folders, leaving_out(left_out))
    frames = frames_of(records, leaving_out(left_out))
    frames.write(out / "frames")
    slowest = slowest_of(records, leaving_out(left_out))
    differences = stage_differences(frames.stages)
    workloads = list(split_by(frames, WORKLOAD))
    decisions = list(decisions_of(frames, records))
    comparisons = [_decided(compare(part), decisions) for part in workloads]
    charts = [
        _charts(part, out / "charts", prefix, decision_on(compared.workload, decisions))
        for part, prefix, compared in zip(workloads, _numbered(len(workloads), "w"), comparisons, strict=True)
    ]
    path = out / "report.html"
    write_page(
        path,
        "report.html.j2",
        title=_title(frames),
        made=_made(records),
        left_out=left_out,
        sections=[
            _section(compared, decisions, drawn, _how_far(part, records))
            | _of_stages(compared.workload, slowest, differences)
            for compared, part, drawn in zip(comparisons, workloads, charts, strict=True)
        ],
        decisions=[
            _decision_section(each, list(_decision_charts(each, out / "charts", prefix)))
            for prefix, each in zip(_numbered(len(decisions), "d"), decisions, strict=True)
        ],
        rate_charts=_rate_charts(frames, out / "charts", decisions),
        colours=colours_of(frames.runs["arch"].unique()),
        run_columns=[name.replace("_", " ") for name in RUN_COLUMNS],
        run_rows=[[_plain(row[name]) for name in RUN_COLUMNS] for row in frames.runs.to_dict("records")],
        compared=_compared(records),
        settings=list(_settings(records)),
        commands="\n".join(_commands(records)),
        folder=shlex.join(str(folder) for folder in folders),
    )
    return Report(
        page=str(path),
        frames=str(out / "frames"),
        left_out=left_out,
        comparisons=comparisons,
        decisions=decisions,
        slowest=slowest,
        stage_differences=differences,
    )


def _numbered(many: int, letter: str) -> list[str]:
    """Prefixes for the names of charts, where there are several of each."""
    return [""] if many == 1 else [f"{letter}{number}-" for number in range(1, many + 1)]


def _decided(comparison: Comparison, decisions: Sequence[Decision]) -> Comparison:
    """The comparison with the verdict on its load shape, instead of one that mixes fixed and marginal cost."""
    decision = decision_on(comparison.workload, decisions)
    return comparison if decision is None else msgspec.structs.replace(comparison, verdict=decision.verdict)


def _decision_charts(decision: Decision, folder: Path, prefix: str) -> Iterator[Chart]:
    for each in charts_of(decision):
        name = prefix + each.name
        yield Chart(name, None, each.instead) if each.drawn is None else on_page(each.drawn, folder, name)


def _decision_section(decision: Decision, charts: list[Chart]) -> dict[str, Any]:
    head, *body = decision_rows(decision)
    return {
        "load": load_text(decision),
        "verdict": decision.verdict,
        "cold_brokers": decision.cold_brokers,
        "head": head,
        "body": body,
        "note": MARKS_NOTE,
        "lines": list(decision_lines(decision)),
        "charts": charts,
    }


def _section(
    comparison: Comparison, decisions: Sequence[Decision], charts: list[Chart], how_far: str
) -> dict[str, Any]:
    section, is_decided = section_of(comparison), decision_on(comparison.workload, decisions) is not None
    return {
        "section": beside_a_decision(section) if is_decided else section,
        "is_decided": is_decided,
        "charts": charts,
        "how_far": how_far,
    }


def _of_stages(
    workload: Workload, slowest: Sequence[Slowest], differences: Sequence[StageDifference]
) -> dict[str, Any]:
    return {
        "why_slower": [why_slower(each) for each in under(workload, differences)],
        "slowest": [
            {"title": title_of(each), "head": head_of(each), "rows": rows_of(each)} for each in under(workload, slowest)
        ],
    }


def _rate_charts(frames: Frames, folder: Path, decisions: Sequence[Decision]) -> list[tuple[str, Chart]]:
    """Throughput against latency, with the load: a chart for all workloads that differ only in their rate.

    One rate gives no chart, because the runs of one rate differ only by chance.
    """
    families = list(split_by(frames, blocks.SHAPE))
    charts = []
    for number, family in enumerate(families, start=1):
        workload = workload_of(family.runs.iloc[0])
        decision = decision_on(workload, decisions)
        drawn = family if decision is None else _comparable_rates(family, decision)
        highest = 99.0 if decision is None else _highest_percentile(decision)
        if drawn.runs["rate_per_s"].nunique() > 1 and has_rates(drawn, highest):
            name = "throughput_and_latency" if len(families) == 1 else f"throughput_and_latency-{number}"
            charts.append((shape_name(workload), on_page(throughput_and_latency(drawn, highest), folder, name)))
    return charts


def _comparable_rates(family: Frames, decision: Decision) -> Frames:
    """The runs and percentiles of only the architectures and rates whose latencies could be compared."""

    def some(frame: pd.DataFrame) -> pd.DataFrame:
        rates_and_names = zip(frame["rate_per_s"], frame["arch"], strict=True)
        return frame[[name in with_latencies(decision, float(rate_per_s)) for rate_per_s, name in rates_and_names]]

    return replace(family, runs=some(family.runs), percentiles=some(family.percentiles))


def _highest_percentile(decision: Decision) -> float:
    """The p99, if it could be compared wherever the median could; otherwise the median."""
    spoilt = (without_tails(decision, each) & with_latencies(decision, each) for each in decision.rates_per_s)
    return 50.0 if any(spoilt) else 99.0


def _charts(frames: Frames, folder: Path, prefix: str, decision: Decision | None) -> list[Chart]:
    """Draw each chart that these frames have data for, as files and for the page.

    Where fixed and marginal cost are known apart, the cost per delivery at one rate, which mixes them, is not drawn;
    nor are latencies that could not be compared.
    """
    if decision is not None:
        rate_per_s = float(frames.runs["rate_per_s"].iloc[0])
        frames = _comparable(frames, with_latencies(decision, rate_per_s), without_tails(decision, rate_per_s))
    return [
        on_page(draw(frames), folder, prefix + name)
        for name, draw in CHARTS.items()
        if has_data(name, frames) and not (decision and name == "cpu_per_delivery")
    ]


def _comparable(frames: Frames, names: set[str], without_tail: set[str]) -> Frames:
    """The frames with the latencies of only these architectures; some of these end at the median."""
    latency, seconds = (frame[frame["arch"].isin(names)].copy() for frame in (frames.latency, frames.seconds))
    ends = latency["arch"].isin(without_tail)
    before = latency.groupby("arch")["share_at_most"].shift(fill_value=0.0)
    latency.loc[ends, "share_at_most"] = latency.loc[ends, "share_at_most"].clip(upper=MEDIAN)
    seconds.loc[seconds["arch"].isin(without_tail), "latency_p99_ms"] = float("nan")
    return replace(frames, latency=latency[~ends | (before < MEDIAN)], seconds=seconds)


def _title(frames: Frames) -> str:
    return " · ".join([", ".join(sorted(frames.runs["arch"].unique())), *sorted(frames.runs["scenario"].unique())])


def _made(records: Sequence[RunRecord]) -> str:
    machines = " and ".join(_machines(records))
    here = not any(started_by_others(record.manifest.settings) for record in records)
    days = sorted({record.manifest.started_utc[:10] for record in records})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    count = f"{len(records)} run{'' if len(records) == 1 else 's'}"
    return f"{count} {'on' if here else 'controlled from'} {machines}, {span}. Report made {made}."


def _machines(records: Sequence[RunRecord]) -> list[str]:
    """The machines that the runs were made on, or controlled from."""
    return list(dict.fromkeys(_machine(record.manifest.host) for record in records))


def _machine(host: dict[str, Any]) -> str:
    return f"{host.get('cpu')}, {host.get('cores')} cores, {host.get('memory_bytes', 0) / 2**30:.0f} GiB"


def _how_far(workload: Frames, records: Sequence[RunRecord]) -> str:
    """A sentence on how far the figures of one workload can be generalised."""
    names = set(workload.runs["record"])
    own = [record for record in records if record.folder.name in names]
    return how_far_it_goes([record.manifest.settings for record in own], len(_machines(own)))


def _compared(records: Sequence[RunRecord]) -> dict[str, str]:
    """The summary of each architecture at the time of its runs. Early records have none."""
    described = {each.manifest.settings.arch: each.manifest.architecture.get("summary") for each in records}
    return {name: summary for name, summary in sorted(described.items()) if summary}


def _settings(records: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    """Every setting, with all its values if the records differ."""
    rows: dict[str, dict[str, None]] = {}
    for manifest in (record.manifest for record in records):
        for name, value in _described(manifest):
            rows.setdefault(name, {})[value] = None
    for name, values in rows.items():
        yield name, ", ".join(values)


def _described(manifest: Manifest) -> Iterator[tuple[str, str]]:
    settings = manifest.settings
    for name in settings.__struct_fields__:
        if name not in ("arch", "out"):
            yield name.replace("_", " "), _plain(getattr(settings, name))
    yield "commit", manifest.commit or "not in a checkout"
    for name, value in manifest.host.items():
        yield name.replace("_", " "), str(value)
    for name, value in manifest.versions.items():
        yield name, value


def _commands(records: Sequence[RunRecord]) -> list[str]:
    """Each command once, without those that only resumed another."""
    commands = dict.fromkeys(shlex.join(record.manifest.command) for record in records)
    return [command for command in commands if "--resume" not in command] or list(commands)


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return NOTHING
    return f"{value:,g}" if isinstance(value, float) else str(value)
