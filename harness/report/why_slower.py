"""Why one architecture is slower than another, as sentences: the stages in which its messages lose time."""

from __future__ import annotations

from harness.core.units import figure_text
from harness.results.stage_differences import StageDifference

WORTH_NAMING = 0.01  # of the whole difference


def why_slower(difference: StageDifference) -> str:
    """Name the stages by their share of the difference, the largest first, and say how much of it they explain."""
    shares = {stage: ms / difference.longer_ms for stage, ms in difference.stages_ms.items()}
    named = sorted(
        (stage for stage in shares if abs(shares[stage]) >= WORTH_NAMING), key=lambda stage: -abs(shares[stage])
    )
    parts = ", ".join(f"{stage.replace('_', ' ')} {shares[stage]:.0%}" for stage in named)
    longer = f"{difference.arch} takes {figure_text(difference.longer_ms)} ms longer than {difference.over}"
    return f"{longer}{_rounds(difference)}: {parts}.{_explained(difference)}{_clocks(difference)}"


def _rounds(difference: StageDifference) -> str:
    if difference.rounds == 1:
        return ""
    ends = (figure_text(difference.least_ms), figure_text(difference.most_ms))
    return f" ({' to '.join(ends)} in {difference.rounds} rounds)"


def _explained(difference: StageDifference) -> str:
    if difference.of_all_ms is None or difference.explained is None:
        return ""
    whole = f"Between all messages, traced or not, the difference is {figure_text(difference.of_all_ms)} ms"
    return f" {whole}: the stages add up to {difference.explained:.0%} of it."


def _clocks(difference: StageDifference) -> str:
    if not difference.error_ms:
        return ""
    return f" Stages from host to host are ± {figure_text(difference.error_ms)} ms, by the hosts' clocks."
