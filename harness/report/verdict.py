"""Recommend an architecture for one workload, by rules over the frames; each rule states its reason."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.results.deliveries import wrong_deliveries
from harness.results.frames import Frames

CPU = "cpu_system_us_per_delivery"
P99 = "latency_p99_ms"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The verdict: `choice` is a heading, and the other fields are lists of sentences."""

    choice: str
    because: list[str]  # the first sentence continues after "because"
    out: list[str]  # why the others were not candidates


def judge(frames: Frames) -> Recommendation:
    """The verdict on the frames of one workload.

    A candidate delivered every message once and in order, in every round, and its driver was valid. The cheapest
    candidate is chosen, by CPU per delivery: a shared, noisy machine disturbs this figure the least.
    """
    runs = frames.runs[frames.runs["status"] == "complete"]
    if runs.empty:
        return Recommendation("No verdict", ["no run is complete."], [])
    against = {arch: reasons_against(runs[runs["arch"] == arch], arch) for arch in sorted(frames.runs["arch"].unique())}
    out = [reason for reasons in against.values() for reason in reasons]
    names = [arch for arch, reasons in against.items() if not reasons]
    if not names:
        return Recommendation(
            "No verdict", ["no architecture delivered everything with a driver that was fast enough."], out
        )
    if len(names) == 1:
        return Recommendation(f"Only {names[0]} can be judged", [_alone(frames, runs, names[0])], out)
    choice, because = _choose(frames, runs, names)
    durable = durable_names(frames, names)
    if durable and not set(choice) <= set(durable):
        because.append(
            f"With {or_text([name for name in choice if name not in durable])}, an acked message does not survive a "
            "restart of the backend. " + _if_durable(frames, runs, durable)
        )
    return Recommendation(or_text(choice), because, out)


def _choose(frames: Frames, runs: pd.DataFrame, names: list[str]) -> tuple[list[str], list[str]]:
    """The cheapest architecture and those that do not differ from it measurably, with the reasons."""
    figures = runs[runs["arch"].isin(names)].groupby("arch")
    if figures[CPU].mean().isna().any():
        return _fastest(frames, names)
    cost = figures[CPU].mean().sort_values()
    best = str(cost.index[0])
    alike = [best, *(str(name) for name in cost.index[1:] if not _differs(frames, CPU, str(name), best))]
    least = ", ".join(f"{name} {cost[name]:,.1f} us" for name in alike)
    subject = "it costs" if len(alike) == 1 else "they cost"
    because = [f"{subject} the least CPU per delivery in gateways and brokers: {least}."]
    rest = [str(name) for name in cost.index if name not in alike]
    if rest:
        others = ", ".join(f"{name} {_times(frames, CPU, name, best)}" for name in rest)
        because.append(f"The others cost more: {others}.")
    if runs["round"].max() < 2:
        because.append("One round gives no interval: run --rounds 3 or more before you rely on a difference.")
    latency = _p99(frames, names)
    if latency.empty:
        return alike, because
    fastest = str(latency.index[0])
    sentence = f"The lowest p99 delivery latency is that of {fastest}, {latency.iloc[0]:,.1f} ms"
    slower = [name for name in alike if name != fastest]
    if slower:
        sentence += "; " + ", ".join(f"{name} takes {_times(frames, P99, name, fastest)}" for name in slower)
    because.append(sentence + ".")
    return alike, because


def _p99(frames: Frames, names: list[str]) -> pd.Series[float]:
    """The p99 of all rounds merged, the lowest first, where messages enough were merged."""
    percentiles = frames.percentiles[frames.percentiles["messages"] >= frames.percentiles["messages_needed"]]
    chosen = percentiles[(percentiles["metric"] == P99) & percentiles["arch"].isin(names)]
    return chosen.set_index("arch")["merged_ms"].dropna().sort_values()


def _fastest(frames: Frames, names: list[str]) -> tuple[list[str], list[str]]:
    """The choice by latency, for backends that the run did not start and whose CPU was therefore not measured."""
    latency = _p99(frames, names)
    if latency.empty:
        return names, [
            "they cannot be distinguished: CPU was not measured, and the p99 of no architecture is known well enough."
        ]
    best = str(latency.index[0])
    alike = [best, *(str(name) for name in latency.index[1:] if not _differs(frames, P99, str(name), best))]
    fast = ", ".join(f"{name} {latency[name]:,.1f} ms" for name in alike)
    because = [f"p99 delivery latency is the lowest: {fast}."]
    rest = [str(name) for name in latency.index if name not in alike]
    if rest:
        others = ", ".join(f"{name} {_times(frames, P99, name, best)}" for name in rest)
        because.append(f"The others take longer: {others}.")
    because.append("The cost of the backends was not measured, because the run did not start them.")
    return alike, because


def _if_durable(frames: Frames, runs: pd.DataFrame, durable: list[str]) -> str:
    if len(durable) == 1:
        return f"If it must: {durable[0]}."
    choice, because = _choose(frames, runs, durable)
    return f"If it must: {or_text(choice)}, because {because[0]}"


def durable_names(frames: Frames, names: list[str]) -> list[str]:
    """Those of the names that promise an acked message to survive a restart of the backend."""
    promised = frames.promises[frames.promises["promise"].str.startswith("durable")]["arch"].unique()
    return [name for name in names if name in promised]


def reasons_against(runs: pd.DataFrame, arch: str) -> list[str]:
    """Sentences on why an architecture is not a candidate; empty if it is one."""
    reasons = wrong_deliveries(runs, arch)
    valid = runs["driver_valid"] == True  # noqa: E712 - a column of True, False and None
    if len(runs) and valid.sum() < len(runs) / 2:
        reasons.append(f"{arch} is out: in most of its runs the driver was too slow, so its latencies say nothing.")
    return reasons


def _alone(frames: Frames, runs: pd.DataFrame, name: str) -> str:
    own = runs[runs["arch"] == name]
    figures = [f"p99 {p99_ms:,.1f} ms" for p99_ms in _p99(frames, [name])]
    figures += [f"{cpu:,.1f} us of CPU per delivery" for cpu in [own[CPU].mean()] if not pd.isna(cpu)]
    everything = f"it made all {own['expected'].sum():,.0f} expected deliveries, once and in order"
    return f"{everything}; {', '.join(figures)}." if figures else f"{everything}."


def _ratio(frames: Frames, metric: str, arch: str, over: str) -> pd.DataFrame:
    ratios = frames.ratios
    return ratios[(ratios["metric"] == metric) & (ratios["arch"] == arch) & (ratios["over"] == over)]


def _differs(frames: Frames, metric: str, arch: str, over: str) -> bool:
    """Whether the interval of the ratio excludes 1; with one round, whether the figures differ by a fifth."""
    found = _ratio(frames, metric, arch, over)
    if found.empty:
        return True
    ratio = found.iloc[0]
    if pd.isna(ratio["low"]):
        return not 1 / 1.2 < float(ratio["ratio"]) < 1.2
    return not float(ratio["low"]) <= 1 <= float(ratio["high"])


def _times(frames: Frames, metric: str, arch: str, over: str) -> str:
    found = _ratio(frames, metric, arch, over)
    return "an unknown amount more" if found.empty else times(found.iloc[0])


def times(ratio: pd.Series[float]) -> str:
    """A row of the ratios as text: 1.52 times (1.41 to 1.66)."""
    interval = "" if pd.isna(ratio["low"]) else f" ({ratio['low']:.3g} to {ratio['high']:.3g})"
    return f"{ratio['ratio']:.3g} times{interval}"


def or_text(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
