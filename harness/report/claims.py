"""The claims as Markdown: a table, and a section with a chart for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.experiments.claims.claim import Claim, Finding


def markdown(findings: Sequence[tuple[Claim, Finding]], charts: str) -> str:
    """A page; `charts`: the path from it to the charts' folder."""
    return "\n".join([*verdicts(findings), *sections(findings, charts)]) + "\n"


def verdicts(findings: Sequence[tuple[Claim, Finding]], page: str = "") -> Iterator[str]:
    """The table; `page`: the path to where the sections are, if that is another page."""
    yield "| | claim | verdict |"
    yield "| --- | --- | --- |"
    for claim, finding in findings:
        yield f"| [{claim.id}]({page}#{claim.id.lower()}) | {claim.claim} | **{finding.verdict}** |"


def sections(findings: Sequence[tuple[Claim, Finding]], charts: str) -> Iterator[str]:
    """`charts`: the path from the page to the charts' folder."""
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
