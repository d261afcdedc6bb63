"""The table of `chatbench advise`: what each architecture that meets the needs would take."""

from __future__ import annotations

import math
from collections.abc import Callable

from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.costs.advice import Advice
from harness.experiments.costs.cost import Cost
from harness.experiments.costs.fit import Interval
from harness.report.fitting import Column, Fitted

KIBI = 1024
MEASURED_NOTE = "* measured, not predicted, in the run most like this chat, on one machine."
PREDICTED_NOTE = (
    "* predicted, where each gateway has a core of its own and members read without delay; that was not measured, "
    "because all runs shared one machine."
)


def advice_table(advice: Advice) -> Fitted:
    """A row for each architecture that meets the needs, by cost; those that are infeasible say so in their place."""
    rows: list[tuple[str, Cost | None]] = [(cost.arch, cost) for cost in advice.costs]
    rows += [(each.arch, each.cost) for each in advice.infeasible]
    rows.sort(key=lambda row: math.inf if row[1] is None else row[1].cores.value)
    names, costs = [name for name, _ in rows], [cost for _, cost in rows]
    infeasible = {each.arch for each in advice.infeasible}
    predicted = latency_is_predicted(advice)
    least = "at least " if advice.cpu_at_least else ""

    def gateways(cost: Cost) -> str:
        return f"{least}{cost.gateways:,}"

    def cores(cost: Cost) -> str:
        if least:
            return f"{least}{figure_text(cost.cores.value)}"
        band = f"{figure_text(cost.cores.low)}-{figure_text(cost.cores.high)}"
        return band if advice.too_far else f"{figure_text(cost.cores.value)} ({band})"

    def chance(cost: Cost) -> str:
        return "?" if cost.p_cheapest is None else share_text(cost.p_cheapest)

    def parts(cost: Cost) -> str:
        return ", ".join(f"{name} {figure_text(each.value)}" for name, each in cost.cores_of.items())

    def latency(cost: Cost) -> str:
        if predicted:
            return "not predicted" if cost.p50_ms is None else f"{_ms(cost.p50_ms)} / {_ms(cost.p99_ms)} ms"
        measured_ms = (cost.nearest_p50_ms, cost.nearest_p99_ms)
        return " / ".join("not valid" if ms is None else f"{ms:,.0f}" for ms in measured_ms) + " ms"

    def of_each(text: Callable[[Cost], str]) -> list[str]:
        return ["-" if cost is None else text(cost) for cost in costs]

    chances = ["infeasible" if name in infeasible else text for name, text in zip(names, of_each(chance), strict=True)]
    return Fitted(
        [
            Column("", names),
            Column("gateways", of_each(gateways), right=True),
            Column("cores" if least else "cores (90 %)", of_each(cores), right=True),
            Column("cheapest", chances, right=True),
            Column("of these cores", of_each(parts), right=True, spare=4),
            Column("memory", of_each(lambda cost: bytes_text(cost.memory_bytes.value)), right=True),
            Column(
                "to members",
                of_each(lambda cost: f"{bytes_text(cost.to_members_bytes_per_s.value)}/s"),
                right=True,
                spare=3,
            ),
            Column(
                "backend", of_each(lambda cost: f"{bytes_text(cost.backend_bytes_per_s.value)}/s"), right=True, spare=2
            ),
            Column(
                "disk/day",
                of_each(lambda cost: bytes_text(advice.replicas * cost.disk_bytes_per_day.value)),
                right=True,
                spare=1,
            ),
            Column("p50 / p99*", of_each(latency), right=True),
        ],
        title=_title(advice),
    )


def latency_is_predicted(advice: Advice) -> bool:
    """Whether the latency of any architecture is predicted; otherwise the table has that of the nearest runs."""
    return any(cost.p50_ms is not None for cost in advice.costs)


def latency_notes(advice: Advice) -> list[Text]:
    """What the latencies of the table are, and why some are not predicted."""
    notes = [PREDICTED_NOTE if latency_is_predicted(advice) else MEASURED_NOTE]
    reasons: dict[str, list[str]] = {}
    for cost in advice.costs:
        if cost.latency_not_predicted is not None:
            reasons.setdefault(cost.latency_not_predicted, []).append(cost.arch)
    for why, names in reasons.items():
        which = "99th percentile" if all(each.p50_ms for each in advice.costs if each.arch in names) else "latency"
        notes.append(f"The {which} is not predicted for {', '.join(names)}: {why}.")
    return list(map(Text, notes))


def _ms(predicted: Interval | None) -> str:
    return "?" if predicted is None else figure_text(predicted.value)


def _title(advice: Advice) -> str:
    wish = advice.wish
    rooms = f"{wish.rooms:,} room{'' if wish.rooms == 1 else 's'}"
    title = f"{rooms} of {wish.members_per_room:,g}, {wish.rate_per_s:,g} msg/s of {wish.payload_bytes:,} B"
    return f"{title}, extrapolated {figure_text(advice.extrapolated_times)} times" if advice.too_far else title


def share_text(share: float) -> str:
    """A probability in whole percent. If all of 200 draws agree, it is more than 98 % with a confidence of 95 %."""
    return "> 98 %" if share > 0.98 else "< 2 %" if share < 0.02 else f"{share:.0%}".replace("%", " %")


def bytes_text(count: float) -> str:
    """The size with a unit that leaves one to three digits before the decimal point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIBI:
            return f"{figure_text(count)} {unit}"
        count /= KIBI
    return f"{figure_text(count)} TiB"
