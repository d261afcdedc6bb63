"""The output of `chatbench advise` on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.core.units import figure_text, size_text
from harness.experiments.costs.advice import Advice, Cost
from harness.experiments.costs.sizing import GATEWAY_CORES_MAX, MEMBERS_PER_GATEWAY_MAX, OneGateway
from harness.report.fitting import Column, Fitted

KIBI = 1024
LATENCY_NOTE = (
    "* measured, not predicted, in the run most like this chat, on one machine. "
    "Not measured: brokers that replicate, other machines."
)


def advice_table(advice: Advice) -> Fitted:
    """A row for each architecture that meets the needs, the cheapest first."""
    wish, costs = advice.wish, advice.costs

    least = "at least " if advice.cpu_at_least else ""
    rooms = f"{wish.rooms:,} room{'' if wish.rooms == 1 else 's'}"

    def cores(cost: Cost) -> str:
        if least:
            return f"{least}{figure_text(cost.cores.value)}"
        return "{} ({}-{})".format(*(figure_text(each) for each in (cost.cores.value, cost.cores.low, cost.cores.high)))

    def latency(cost: Cost) -> str:
        measured_ms = (cost.nearest_p50_ms, cost.nearest_p99_ms)
        return " / ".join("not valid" if ms is None else f"{ms:,.0f}" for ms in measured_ms) + " ms"

    def parts(cost: Cost) -> str:
        return ", ".join(f"{name} {figure_text(each.value)}" for name, each in cost.cores_of.items())

    return Fitted(
        [
            Column("", [cost.arch for cost in costs]),
            Column("gateways", [f"{least}{cost.gateways:,}" for cost in costs], right=True),
            Column("cores" if least else "cores (90 %)", map(cores, costs), right=True),
            Column("of these", map(parts, costs), right=True, spare=4),
            Column("memory", [_bytes(cost.memory_bytes.value) for cost in costs], right=True),
            Column(
                "to members", [f"{_bytes(cost.to_members_bytes_per_s.value)}/s" for cost in costs], right=True, spare=3
            ),
            Column("backend", [f"{_bytes(cost.backend_bytes_per_s.value)}/s" for cost in costs], right=True, spare=2),
            Column("disk/day", [_bytes(cost.disk_bytes_per_day.value) for cost in costs], right=True, spare=1),
            Column("p50 / p99*", map(latency, costs), right=True),
        ],
        title=f"{rooms} of {wish.members_per_room:,g}, {wish.rate_per_s:,g} msg/s of {wish.payload_bytes:,} B",
    )


def advice_lines(advice: Advice) -> list[Text]:
    """The recommendation, its accuracy, and what would change it."""
    whole = advice.held_out[0]
    lines = [f"Not {name}: {why}." for name, why in advice.out.items()]
    lines += [f"The answer would change with {change}." for change in advice.would_change]
    lines.append(
        f"The median error of the CPU predictions is {whole.median_error:.1%}, over {whole.runs} runs held out."
    )
    lines += [f"Beyond what was measured: {beyond}." for beyond in advice.beyond]
    return [*_chosen(advice), *map(Text, lines)]


def _chosen(advice: Advice) -> Iterator[Text]:
    several = Text.assemble(
        _or(advice.of_several), ", with the least CPU in gateways and brokers of those that meet your needs."
    )
    one = None if advice.one_gateway is None else _holds(advice.one_gateway)
    if not advice.choice:
        yield Text("None of the architectures can do this.")
    elif one is None:
        yield Text.assemble("For this chat: ", several)
    elif advice.choice == advice.of_several:
        yield Text.assemble("For this chat: ", several)
        yield Text(f"{one}: the broker is needed for durability, not for the fan-out.")
    else:
        yield Text.assemble(
            "For this chat: ", _or(advice.choice), f". {one}, so there is nothing to fan out, and no broker is needed."
        )
        yield Text.assemble("On two gateways or more, so that one may fail or be replaced: ", several)
    if advice.cpu_at_least:
        measured = " and ".join(size_text(size) for size in advice.payloads_measured_bytes)
        yield Text(
            f"The CPU is a lower bound, and another architecture may be the cheapest: payloads of {measured} were "
            f"measured, none of {size_text(advice.wish.payload_bytes)}, and the cost of a byte is not known."
        )


def _or(names: Sequence[str]) -> Text:
    return Text(" or ").join(Text(name, "bold") for name in names)


def _holds(one: OneGateway) -> str:
    takes = f"{one.members:,.0f} members with some {figure_text(one.cores)} cores"
    return f"One gateway holds all of it ({takes}, of {MEMBERS_PER_GATEWAY_MAX:,} with {GATEWAY_CORES_MAX:g})"


def _bytes(count: float) -> str:
    """The size with a unit that leaves one to three digits before the decimal point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIBI:
            return f"{figure_text(count)} {unit}"
        count /= KIBI
    return f"{figure_text(count)} TiB"
