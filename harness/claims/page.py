"""The claims as a page of Markdown: a table, and a section with a chart for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.claims.claim import Claim, Finding


def markdown(findings: Sequence[tuple[Claim, Finding]], charts: str) -> str:
    """`charts`: the path from the page to the charts' folder."""
    return "\n".join(_lines(findings, charts)) + "\n"


def _lines(findings: Sequence[tuple[Claim, Finding]], charts: str) -> Iterator[str]:
    yield "| | claim | verdict |"
    yield "| --- | --- | --- |"
    for claim, finding in findings:
        yield f"| [{claim.id}](#{claim.id.lower()}) | {claim.claim} | **{finding.verdict}** |"
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
