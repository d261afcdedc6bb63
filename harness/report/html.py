"""Write report.html, one file that needs no network, with the charts and frames that it is made of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.core.hosts import how_far_it_goes, started_by_others
from harness.report.charts import CHARTS, has_data, throughput_and_latency
from harness.report.comparison import Report, compare, split_by, workload_of
from harness.report.decision import Decision, decision_lines, decision_of
from harness.report.forest import charts_of
from harness.report.section import NOTHING, section_of, workload_name
from harness.report.style import GRID, IN_THE_DARK, INK, SHADE, colours_of, save
from harness.report.verdict import wrong_deliveries
from harness.results import blocks
from harness.results.frames import WORKLOAD, Frames, RunRecord, frames_of, read_records
from harness.results.reading import leaving_out
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


@dataclass(frozen=True, slots=True)
class Chart:
    id: str
    title: str
    svg: Markup


def write_report(folders: Sequence[Path], out: Path) -> Report:
    """Read the records in these folders, and write charts, frames and report.html to `out`.

    Returns the content of the page, its path, and what could not be read. Raises UsageError if there is nothing to
    report.
    """
    left_out: list[str] = []
    records = read_records(folders, leaving_out(left_out))
    frames = frames_of(records, leaving_out(left_out))
    frames.write(out / "frames")
    workloads = list(split_by(frames, WORKLOAD))
    comparisons = [compare(part) for part in workloads]
    decisions = list(_decisions(frames, records))
    prefixes = [""] if len(workloads) == 1 else [f"w{number}-" for number in range(1, len(workloads) + 1)]
    charts = [_charts(part, out / "charts", prefix) for part, prefix in zip(workloads, prefixes, strict=True)]
    environment = Environment(
        loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        title=_title(frames),
        made=_made(records),
        left_out=left_out,
        sections=list(
            zip(map(section_of, comparisons), charts, [_how_far(part, records) for part in workloads], strict=True)
        ),
        decisions=[(each, list(decision_lines(each)), list(_decision_charts(each, out))) for each in decisions],
        rate_charts=_rate_charts(frames, out / "charts"),
        colours=colours_of(frames.runs["arch"].unique()),
        in_the_dark=IN_THE_DARK,
        run_columns=[name.replace("_", " ") for name in RUN_COLUMNS],
        run_rows=[[_plain(row[name]) for name in RUN_COLUMNS] for row in frames.runs.to_dict("records")],
        compared=_compared(records),
        settings=list(_settings(records)),
        commands="\n".join(_commands(records)),
        folder=shlex.join(str(folder) for folder in folders),
    )
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return Report(
        page=str(path),
        frames=str(out / "frames"),
        left_out=left_out,
        comparisons=comparisons,
        decisions=decisions,
    )


def _decisions(frames: Frames, records: Sequence[RunRecord]) -> Iterator[Decision]:
    """The decisions between architectures that delivered everything as they should."""
    complete = frames.runs[frames.runs["status"] == "complete"]
    out = {name: wrong_deliveries(runs, str(name)) for name, runs in complete.groupby("arch")}
    right = [each for each in records if not out.get(each.key["arch"])]
    for each in blocks.compared(right):
        if each.decides:
            yield decision_of(each)


def _decision_charts(decision: Decision, out: Path) -> Iterator[Chart]:
    for name, title, drawn in charts_of(decision):
        yield Chart(name, title, _inline(save(drawn, out / "charts", name), name))


def _rate_charts(frames: Frames, folder: Path) -> list[Chart]:
    """Throughput against latency: one chart for all workloads that differ only in their rate."""
    families = list(split_by(frames, [column for column in WORKLOAD if column != "rate_per_s"]))
    charts = []
    for number, family in enumerate(families, start=1):
        if family.runs["latency_p99_ms"].notna().any() and family.runs["rate_per_s"].nunique() > 1:
            name = "throughput_and_latency" if len(families) == 1 else f"throughput_and_latency-{number}"
            drawn = save(throughput_and_latency(family), folder, name)
            charts.append(
                Chart(name, workload_name(workload_of(family.runs.iloc[0]), rate=False), _inline(drawn, name))
            )
    return charts


def _charts(frames: Frames, folder: Path, prefix: str) -> list[Chart]:
    """Draw each chart that these frames have data for, as files and for the page."""
    return [
        Chart(prefix + name, title, _inline(save(draw(frames), folder, prefix + name), prefix + name))
        for name, (draw, title) in CHARTS.items()
        if has_data(name, frames)
    ]


def _inline(svg: Path, name: str) -> Markup:
    """The SVG as part of the page. Its colours follow light or dark mode, and its ids are unique."""
    text = svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img"', text, count=1)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\1{name}-", text)
    for fixed, variable in ((INK, "ink"), (GRID, "grid"), (SHADE, "shade"), *((c, c[1:]) for c in IN_THE_DARK)):
        text = re.sub(fixed, f"var(--{variable})", text, flags=re.IGNORECASE)
    return Markup(text)  # noqa: S704 - drawn by matplotlib a moment ago, which escapes what it writes


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
