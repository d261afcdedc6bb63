"""The claims as Markdown, as a table for a terminal, as charts and as findings.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from matplotlib.figure import Figure
from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.claims.claim import Claim, Finding, Panel, Picture
from harness.report.fitting import Column, Fitted
from harness.report.style import INK, after_bar, colours_of, headline, plain_bars, save, this_style, tip


def markdown(findings: Sequence[tuple[Claim, Finding]], charts: str) -> str:
    """The page claims.md. `charts` is the path from the page to the folder of the charts."""
    return "\n".join([*verdicts(findings), *sections(findings, charts)]) + "\n"


def verdicts(findings: Sequence[tuple[Claim, Finding]], page: str = "") -> Iterator[str]:
    """The table of verdicts. `page` is the path to the page with the sections, if that is another page."""
    yield "| | claim | verdict |"
    yield "| --- | --- | --- |"
    for claim, finding in findings:
        yield f"| [{claim.id}]({page}#{claim.id.lower()}) | {claim.claim} | **{finding.verdict}** |"


def sections(findings: Sequence[tuple[Claim, Finding]], charts: str) -> Iterator[str]:
    """A section for each claim. `charts` is the path from the page to the folder of the charts."""
    for claim, finding in findings:
        yield f"\n## {claim.id}\n"
        yield f"> {claim.claim}\n"
        yield f"From: {claim.source}. Tested: {claim.tested}. Expected: {claim.expected}.\n"
        yield f"**{finding.verdict.capitalize()}.**\n"
        for sentence in finding.measured:
            yield f"- {sentence}"
        if finding.picture is not None:
            titles = ", ".join(panel.title.replace("\n", " ") for panel in finding.picture.panels)
            yield f"\n![{claim.id}: {titles}]({charts}/{claim.id.lower()}.png)"


def claims_table(findings: Sequence[tuple[Claim, Finding]]) -> Fitted:
    """A row for each claim: its verdict, its text, and what was measured."""
    return Fitted(
        [
            Column("", [claim.id for claim, _ in findings]),
            Column("verdict", [Text(finding.verdict, style="bold") for _, finding in findings]),
            Column("claim", [claim.claim for claim, _ in findings], folds=True),
            Column("measured", ["\n".join(finding.measured) for _, finding in findings], folds=True),
        ]
    )


PANEL_INCHES = 2.5
LABELS_INCHES = 1.9


def draw_panels(picture: Picture, finding: str) -> Figure:
    """A bar for each label in each panel, in its architecture's colour, with a mark at the expected value."""
    bars = len(picture.labels)
    with this_style():
        size = (LABELS_INCHES + PANEL_INCHES * len(picture.panels), 1.0 + 0.42 * bars)
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(1, len(picture.panels), sharey=True, squeeze=False)[0]
        colours = colours_of(picture.archs)
        for axes, panel in zip(every, picture.panels, strict=True):
            ends = _ends(panel)
            places = range(bars - 1, -1, -1)  # the first label on top
            rows = zip(places, picture.labels, picture.archs, panel.values, ends, strict=True)
            for place, label, arch, value, expected in rows:
                (bar,) = axes.barh(place, value or 0, color=colours[arch], height=0.66)
                tip(bar, _tip(label, panel, value, expected))
                after_bar(axes, "-" if value is None else figure_text(value), max(value or 0, expected or 0), place)
                if expected is not None:
                    axes.plot([expected, expected], [place - 0.42, place + 0.42], color=INK, linewidth=2)
            furthest = max((each for each in (*panel.values, *ends) if each is not None), default=1.0)
            axes.set_xlim(0, 1.35 * furthest or 1)
            axes.set_yticks(list(places), picture.labels)
            plain_bars(axes, panel.title)
        every[0].set_ylabel(SETUP)
        is_expected = any(each is not None for panel in picture.panels for each in _ends(panel))
        headline(
            figure, finding, n=_runs_text(picture.runs), note="A line is the expected value" if is_expected else ""
        )
    return figure


SETUP = "what was run"  # the label of an axis of names


def _runs_text(runs: int) -> str:
    return f"{runs:,} run{'' if runs == 1 else 's'}"


def _tip(label: str, panel: Panel, value: float | None, expected: float | None) -> str:
    measured = "not measured" if value is None else figure_text(value)
    end = "" if expected is None else f"; expected {figure_text(expected)}"
    return f"{label}: {panel.title.replace(chr(10), ' ')}: {measured}{end}"


def _ends(panel: Panel) -> list[float | None]:
    return panel.expected or [None] * len(panel.values)


FINDINGS = "findings.json"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A row of findings.json."""

    id: str
    claim: str
    source: str
    tested: str
    expected: str
    measured: list[str]
    verdict: str


def rows_of(findings: Sequence[tuple[Claim, Finding]]) -> list[Judged]:
    """The content of findings.json."""
    return [
        Judged(
            id=claim.id,
            claim=claim.claim,
            source=claim.source,
            tested=claim.tested,
            expected=claim.expected,
            measured=finding.measured,
            verdict=finding.verdict,
        )
        for claim, finding in findings
    ]


def write_findings(findings: Sequence[tuple[Claim, Finding]], folder: Path) -> Path:
    """Write findings.json, a chart for each claim, and claims.md; returns the path of claims.md."""
    (folder / FINDINGS).write_bytes(msgspec.json.format(msgspec.json.encode(rows_of(findings))))
    for claim, finding in findings:
        if finding.picture is not None:
            title = f"{claim.id} {finding.verdict}: {claim.claim.removesuffix('.')}"
            save(draw_panels(finding.picture, title), folder / "charts", claim.id.lower())
    page = folder / "claims.md"
    page.write_text(markdown(findings, "charts"), encoding="utf-8")
    return page
