"""A decision in words: a table of all figures, and a sentence about each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.analysis.verdicts import Answer
from harness.core.units import figure_text
from harness.report.decision import Decision, Pair, ValueOf, pair_between, turned
from harness.report.fitting import Column, Fitted
from harness.report.section import shape_name

MARKS = {Answer.BETTER: "", Answer.EQUAL: " =", Answer.UNDECIDED: " ?"}
MARKS_NOTE = "In brackets: times the lowest. = equal within 10 %, ? undecided."


def decision_table(decision: Decision) -> Fitted:
    """A row for each architecture, the cheapest first; each figure with its ratio to the lowest of all."""
    head, *body = decision_rows(decision)
    # Where there is no room, the latencies at the highest rates are left out first.
    return Fitted(
        [
            Column(name, cells, right=place > 0, spare=max(0, place - 2))
            for place, (name, *cells) in enumerate(zip(head, *body, strict=True))
        ]
    )


def decision_rows(decision: Decision) -> list[list[str]]:
    """The head of the table, and a row for each architecture."""
    shown = [figure for figure in decision.figures if figure.values]
    names = sorted({name for figure in shown for name in figure.values}, key=lambda name: _place(name, shown))
    head = ["", *(f"{figure.short_name.replace(' delivery latency', '')}, {figure.unit}" for figure in shown)]
    return [head, *([name, *(_cell(decision, figure, name) for figure in shown)] for name in names)]


def _cell(decision: Decision, figure: ValueOf, name: str) -> str:
    if name not in figure.values:
        return "n/a"
    value, lowest = figure.values[name], figure.values[figure.best]
    pair = pair_between(decision.pairs, figure.name, name, figure.best)
    return f"{figure_text(value)} ({value / lowest:.2f}x{MARKS[Answer(pair.answer)] if pair else ''})"


def _place(name: str, shown: Sequence[ValueOf]) -> float:
    return next((figure.values[name] for figure in shown if name in figure.values), 0.0)


def decision_lines(decision: Decision) -> Iterator[str]:
    """Sentences about each figure: what the lowest is, who equals it, who is beaten by it, and what is undecided."""
    for figure in decision.figures:
        if not figure.values:
            yield f"{figure.name}: {figure.why_not}."
            continue
        if len(figure.values) > 1 and figure.blocks > 1:
            yield _sentence(figure, [pair for pair in decision.pairs if pair.figure == figure.name])
        for name, why in figure.left_out.items():
            yield f"{figure.name}: n/a for {name}: {why}."


def _sentence(figure: ValueOf, pairs: Sequence[Pair]) -> str:
    best = figure.best
    said: dict[str, list[str]] = {Answer.BETTER: [], Answer.EQUAL: [], Answer.UNDECIDED: []}
    for name in sorted(figure.values, key=lambda name: figure.values[name]):
        if pair := pair_between(pairs, figure.name, name, best):
            said[pair.answer].append(f"{name} {_times(pair, over=best)}{_how_many_more(pair)}")
    lowest = f"{figure.name}: {best} has the lowest, {figure_text(figure.values[best])} {figure.unit}"
    parts = [
        ("equal within 10 %", said[Answer.EQUAL]),
        ("better than", said[Answer.BETTER]),
        ("undecided", said[Answer.UNDECIDED]),
    ]
    return "; ".join([lowest, *(f"{what}: {', '.join(names)}" for what, names in parts if names)]) + "."


def finding(figure: ValueOf, pairs: Sequence[Pair]) -> str:
    """Who has the lowest value, and what that means for each of the others, in a sentence without figures of them."""
    best = figure.best
    said = {
        answer: [name for name in sorted(figure.values) if (pair := _with(pairs, name, best)) and pair.answer == answer]
        for answer in Answer
    }
    lowest = f"{figure.short_name}: {best} has the lowest, {figure_text(figure.values[best])} {figure.unit}"
    if not pairs:
        return lowest
    if len(said[Answer.BETTER]) == len(figure.values) - 1 > 1:
        return f"{lowest}, and is better than all others"
    parts = (
        ("equal within 10 %", said[Answer.EQUAL]),
        ("better than", said[Answer.BETTER]),
        ("undecided", said[Answer.UNDECIDED]),
    )
    return "; ".join([lowest, *(f"{what}: {', '.join(names)}" for what, names in parts if names)])


def _with(pairs: Sequence[Pair], name: str, best: str) -> Pair | None:
    return None if name == best or not pairs else pair_between(pairs, pairs[0].figure, name, best)


def pairs_finding(figure: ValueOf, pairs: Sequence[Pair]) -> str:
    """How many of the pairs differ, are equal, and are undecided."""
    counts = {answer: sum(pair.answer == answer for pair in pairs) for answer in Answer}
    if len(pairs) == 1:
        (pair,) = pairs
        said = f"{pair.better} is better" if pair.better else ONE_PAIR[Answer(pair.answer)]
        return f"{figure.short_name}, {pair.first} against {pair.second}: {said}"
    said = ", ".join(
        f"{counts[answer]} {one if counts[answer] == 1 else several}"
        for answer, (one, several) in COUNTED.items()
        if counts[answer]
    )
    return f"{figure.short_name}: of {len(pairs)} pairs, {said}"


COUNTED = {
    Answer.BETTER: ("differs", "differ"),
    Answer.EQUAL: ("is equal within 10 %", "are equal within 10 %"),
    Answer.UNDECIDED: ("is undecided", "are undecided"),
}
ONE_PAIR = {Answer.EQUAL: "equal within 10 %", Answer.UNDECIDED: "undecided"}


def _times(pair: Pair, over: str) -> str:
    shown = pair if pair.second == over else turned(pair)
    return f"{shown.ratio:.2f} times ({shown.low:.2f} to {shown.high:.2f})"


def _how_many_more(pair: Pair) -> str:
    if pair.answer != Answer.UNDECIDED:
        return ""
    if pair.more_blocks is None:
        return ", more blocks would not decide"
    return f", about {pair.more_blocks} more block{'' if pair.more_blocks == 1 else 's'} would decide"


def verdict_lines(decision: Decision) -> list[str | Text]:
    """The lines above the table: the load, which architectures nothing beats, and what else speaks for or against."""
    verdict = decision.verdict
    choice = Text.assemble("For this workload: ", (verdict.choice, "bold"), f", because {verdict.because[0]}")
    cold = [decision.cold_brokers] if decision.cold_brokers else []
    return [Text(load_text(decision), style="italic"), choice, *verdict.because[1:], *cold, *verdict.out]


def load_text(decision: Decision) -> str:
    rates = " and ".join(f"{rate_per_s:g}" for rate_per_s in decision.rates_per_s)
    blocks = max((figure.blocks for figure in decision.figures), default=0)
    return f"{shape_name(decision, f'{rates} msg/s')} · {blocks} blocks"
