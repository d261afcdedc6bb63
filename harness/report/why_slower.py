"""Why one architecture is slower than another, as sentences: the stages in which its messages lose time."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.units import figure_text
from harness.results.stage_differences import StageDifference

WORTH_NAMING = 0.01  # of the whole difference


def why_slower(difference: StageDifference) -> str:
    """Name the stages by their share of the difference, the largest first, and say how much of it they explain.

    A stage whose difference may be an error of the hosts' clocks has no share.
    """
    sizes_ms, errors_ms = difference.stages_ms, difference.stages_error_ms
    by_size = sorted(sizes_ms, key=lambda stage: -abs(sizes_ms[stage]))
    large = [stage for stage in by_size if abs(sizes_ms[stage]) >= WORTH_NAMING * difference.longer_ms]
    sure = [stage for stage in large if abs(sizes_ms[stage]) > errors_ms.get(stage, 0.0)]
    parts = ", ".join(_part(difference, stage) for stage in sure) or "in no stage for certain"
    unsure = [stage for stage in large if stage not in sure]
    longer = f"{difference.arch} takes {figure_text(difference.longer_ms)} ms longer than {difference.over}"
    return f"{longer}{_rounds(difference)}: {parts}.{_explained(difference)}{_clocks(difference, unsure)}"


def _part(difference: StageDifference, stage: str) -> str:
    error_ms = difference.stages_error_ms.get(stage)
    error = "" if error_ms is None else f" ± {error_ms / difference.longer_ms:.0%}"
    return f"{_in_words(stage)} {difference.stages_ms[stage] / difference.longer_ms:.0%}{error}"


def _in_words(stage: str) -> str:
    return stage.replace("_", " ")


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


def _clocks(difference: StageDifference, unsure: Sequence[str]) -> str:
    if not difference.error_ms:
        return ""
    rest = f", which is more than the differences of: {', '.join(map(_in_words, unsure))}" if unsure else ""
    return f" Stages from host to host are ± {figure_text(difference.error_ms)} ms at most, by the hosts' clocks{rest}."
