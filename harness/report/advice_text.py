"""The sentences of `chatbench advise`: the recommendation, how sure it is, and what would change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from harness.core.units import figure_text, size_text
from harness.experiments.costs.advice import Advice
from harness.experiments.costs.latency_validation import LatencyAccuracy
from harness.experiments.costs.sizing import OneGateway
from harness.experiments.costs.validation import WHOLE, HeldOutAccuracy
from harness.report.advice import share_text

RANGES = {"inside": "of sizes between the fitted ones", "outside": "of sizes three to four times beyond them"}
LEAST = "the least CPU in gateways and brokers, of those that meet your needs"


def advice_lines(advice: Advice) -> list[Text]:
    """The recommendation, what rules others out, how accurate it is, and what would change it."""
    infeasible = {each.arch for each in advice.infeasible}
    lines = [f"Not {name}: {why}." for name, why in advice.out.items() if name not in infeasible]
    lines += [
        f"Infeasible at this size: {each.arch}, because {' and '.join(map(str, each.limits))}."
        for each in advice.infeasible
    ]
    lines += [f"The answer would change with {change}." for change in advice.would_change]
    lines += list(_replication(advice))
    lines += [f"Beyond what was measured: {beyond}." for beyond in advice.beyond]
    lines += list(accuracy_lines(advice.held_out, advice.latency_accuracy))
    return [*_chosen(advice), *map(Text, lines)]


def _chosen(advice: Advice) -> Iterator[Text]:
    one = None if advice.one_gateway is None else _holds(advice)
    if advice.no_choice is not None:
        yield Text(f"No recommendation: {advice.no_choice}.")
    elif one is None:
        yield Text.assemble("For this chat, ", _cheapest(advice))
    elif advice.choice == advice.of_several:
        yield Text.assemble("For this chat, ", _cheapest(advice))
        yield Text(f"{one}: the broker is needed for durability, not for the fan-out.")
    else:
        yield Text.assemble(
            "For this chat, use ",
            names_text(advice.choice),
            f". {one}, so there is nothing to fan out, and no broker is needed.",
        )
        if advice.of_several:
            yield Text.assemble("On two gateways or more, so that one may fail or be replaced, ", _cheapest(advice))
    if advice.cpu_at_least:
        yield Text(
            "The CPU is a lower bound, and another architecture may be the cheapest: payloads of up to "
            f"{size_text(advice.payloads_measured_bytes[-1])} were measured, none of "
            f"{size_text(advice.wish.payload_bytes)}."
        )


def _cheapest(advice: Advice) -> Text:
    """The rest of a sentence: who is the cheapest, and how sure that is."""
    chances = {cost.arch: cost.p_cheapest for cost in advice.costs}
    names = advice.of_several
    shares = [share_text(chances[name] or 0.0) for name in names]
    far = f"; extrapolated {figure_text(advice.extrapolated_times)} times" if advice.too_far else ""
    if len(names) == 1:
        return Text.assemble(
            Text(names[0], "bold"), f" is the cheapest with a probability of {shares[0]} ({LEAST}){far}."
        )
    each = f"with probabilities of {_and(shares)} of being the cheapest ({LEAST}){far}."
    if advice.equal:
        return Text.assemble(names_text(names, " and "), f" cost the same within 10 %, {each}")
    return Text.assemble("the predictions cannot tell ", names_text(names, " and "), f" apart, {each}")


def names_text(names: Sequence[str], last: str = " or ") -> Text:
    """Names in bold, with commas between them and `last` before the last."""
    text = Text()
    for number, name in enumerate(names):
        text.append("" if number == 0 else last if number == len(names) - 1 else ", ").append(name, "bold")
    return text


def _and(texts: Sequence[str]) -> str:
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def _holds(advice: Advice) -> str:
    one: OneGateway | None = advice.one_gateway
    assert one is not None
    takes = f"{one.members:,.0f} members with some {figure_text(one.cores)} cores"
    wish = advice.wish
    return f"One gateway holds all of it ({takes}, of {wish.members_per_gateway:,} with {wish.cores_per_gateway:g})"


def _replication(advice: Advice) -> Iterator[str]:
    if not advice.replication_modelled:
        yield (
            f"{advice.replicas} brokers keep each record, but replication is not modelled: CPU, memory, network and "
            "latency are those of a single broker (--replicas 1), and more in truth."
        )
    elif advice.replicas > 1:
        yield (f"{advice.replicas} brokers keep each record (--replicas 1 for a single broker).")


def accuracy_lines(held_out: Iterable[HeldOutAccuracy], latencies: Sequence[LatencyAccuracy]) -> Iterator[str]:
    """How accurate predictions were for runs that were made after the fit: a sentence for each range."""
    by_range: dict[str, list[str]] = {}
    for each in held_out:
        if each.what == WHOLE:
            by_range.setdefault(each.range, []).append(_off("CPU", each.median_error, each.within, each.runs))
    for latency in latencies:
        if latency.median_error is not None and latency.within is not None:
            off = _off(latency.what, latency.median_error, latency.within, latency.runs)
            by_range.setdefault(latency.range, []).append(off)
    if any(each.what == "p99" for each in latencies) and not any(
        each.what == "p99" and each.runs for each in latencies
    ):
        yield "The predicted p99 was not validated: no run made after the fit has 1,000 independent messages."
    for where, off_by in by_range.items():
        yield f"Predictions for runs made after the fit, {RANGES[where]}, were off by {_and(off_by)} in the median."


def _off(what: str, median_error: float, within: float, runs: int) -> str:
    return f"{median_error:.1%} ({what}; {within:.0%} of {runs} runs within the 90 % interval)"
