"""The claims as Markdown, as a table for a terminal, as charts and as findings.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from matplotlib.figure import Figure
from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.claims.claim import Claim, Judgement, Panel, Picture
from harness.experiments.claims.findings import SUPPORTED, Finding
from harness.report.fitting import Column, Fitted
from harness.report.style import INK, after_bar, colours_of, headline, plain_bars, save, this_style, tip


def markdown(findings: Sequence[tuple[Claim, Judgement]], charts: str) -> str:
    """The page claims.md. `charts` is the path from the page to the folder of the charts."""
    return "\n".join([*verdicts(findings), *sections(findings, charts)]) + "\n"


def verdicts(findings: Sequence[tuple[Claim, Judgement]], page: str = "") -> Iterator[str]:
    """The table of verdicts. `page` is the path to the page with the sections, if that is another page."""
    yield "| | claim | verdict | findings supported |"
    yield "| --- | --- | --- | --- |"
    for claim, judged in findings:
        link = f"[{claim.id}]({page}#{claim.id.lower()})"
        yield f"| {link} | {claim.claim} | **{judged.verdict}** | {_tally(judged)} |"


def _tally(judged: Judgement) -> str:
    supported = sum(each.answer == SUPPORTED for each in judged.findings)
    return f"{supported} of {len(judged.findings)}"


def sections(findings: Sequence[tuple[Claim, Judgement]], charts: str) -> Iterator[str]:
    """A section for each claim. `charts` is the path from the page to the folder of the charts."""
    for claim, judged in findings:
        yield f"\n## {claim.id}\n"
        yield f"> {claim.claim}\n"
        yield f"From: {claim.source}. Tested: {claim.tested}. Expected: {claim.expected}.\n"
        yield f"**{judged.verdict.capitalize()}**: {_tally(judged)} findings are supported.\n"
        yield "| finding | measured | |"
        yield "| --- | --- | --- |"
        for each in judged.findings:
            yield f"| {each.finding} | {each.measured} | **{each.answer}** |"
        if judged.notes:
            yield "\nBeside the findings:\n"
        for note in judged.notes:
            yield f"- {note}"
        if judged.picture is not None:
            titles = ", ".join(panel.title.replace("\n", " ") for panel in judged.picture.panels)
            yield f"\n![{claim.id}: {titles}]({charts}/{claim.id.lower()}.png)"


def claims_table(findings: Sequence[tuple[Claim, Judgement]]) -> Fitted:
    """A row for each claim: its verdict, its text, and what was measured."""
    return Fitted(
        [
            Column("", [claim.id for claim, _ in findings]),
            Column("verdict", [Text(judged.verdict, style="bold") for _, judged in findings]),
            Column("claim", [claim.claim for claim, _ in findings], folds=True),
            Column("measured", ["\n".join(measured(judged)) for _, judged in findings], folds=True),
        ]
    )


def measured(judged: Judgement) -> list[str]:
    """A sentence for each finding, and the notes."""
    return [*(_sentence(each) for each in judged.findings), *judged.notes]


def _sentence(finding: Finding) -> str:
    return f"{finding.finding}: {finding.measured}: {finding.answer}."


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
    findings: list[Finding] = []  # none in files from before it was there


def rows_of(findings: Sequence[tuple[Claim, Judgement]]) -> list[Judged]:
    """The content of findings.json."""
    return [
        Judged(
            id=claim.id,
            claim=claim.claim,
            source=claim.source,
            tested=claim.tested,
            expected=claim.expected,
            measured=measured(judged),
            verdict=judged.verdict,
            findings=judged.findings,
        )
        for claim, judged in findings
    ]


def write_findings(findings: Sequence[tuple[Claim, Judgement]], folder: Path) -> Path:
    """Write findings.json, a chart for each claim, and claims.md; returns the path of claims.md."""
    (folder / FINDINGS).write_bytes(msgspec.json.format(msgspec.json.encode(rows_of(findings))))
    for claim, judged in findings:
        if judged.picture is not None:
            title = f"{claim.id} {judged.verdict}: {claim.claim.removesuffix('.')}"
            save(draw_panels(judged.picture, title), folder / "charts", claim.id.lower())
    page = folder / "claims.md"
    page.write_text(markdown(findings, "charts"), encoding="utf-8")
    return page
