"""What `chatbench advise` says on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.core.units import figure_text, size_text
from harness.experiments.costs.advice import Advice, Cost
from harness.experiments.costs.sizing import GATEWAY_CORES_MAX, MEMBERS_PER_GATEWAY_MAX, OneGateway
from harness.report.fitting import Column, Fitted

KIBI = 1024
LATENCY_NOTE = (
    "* in milliseconds, as measured in the run that is most like this one, on one machine; latency is not "
    "predicted. Not measured: brokers that replicate, other machines."
)


def advice_table(advice: Advice) -> Fitted:
    """A row for each architecture that can do it, the cheapest first."""
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
    """What is recommended, how sure that is, and what would change it."""
    whole = advice.held_out[0]
    lines = [f"Not {name}: {why}." for name, why in advice.out.items()]
    lines += [f"It would change with {change}." for change in advice.would_change]
    lines.append(
        f"Predictions of CPU were off by {whole.median_error:.1%} in the median of {whole.runs} runs held out."
    )
    lines += [f"Further than measured: {beyond}." for beyond in advice.beyond]
    return [*_chosen(advice), *map(Text, lines)]


def _chosen(advice: Advice) -> Iterator[Text]:
    several = Text.assemble(_or(advice.of_several), ", the least CPU in gateways and brokers of those that can do it.")
    one = None if advice.one_gateway is None else _holds(advice.one_gateway)
    if not advice.choice:
        yield Text("None of them can do this.")
    elif one is None:
        yield Text.assemble("For this chat: ", several)
    elif advice.choice == advice.of_several:
        yield Text.assemble("For this chat: ", several)
        yield Text(f"{one}: the broker is there for what must last, not for the fan-out.")
    else:
        yield Text.assemble(
            "For this chat: ", _or(advice.choice), f". {one}: there is nothing to fan out, so no broker is needed."
        )
        yield Text.assemble("On two gateways or more, so that one may fail or be replaced: ", several)
    if advice.cpu_at_least:
        measured = " and ".join(size_text(size) for size in advice.payloads_measured_bytes)
        yield Text(
            f"CPU is at least that, and another may be the cheapest: payloads of {measured} were measured, none of "
            f"{size_text(advice.wish.payload_bytes)}, and what a byte costs is not known."
        )


def _or(names: Sequence[str]) -> Text:
    return Text(" or ").join(Text(name, "bold") for name in names)


def _holds(one: OneGateway) -> str:
    takes = f"{one.members:,.0f} members with some {figure_text(one.cores)} cores"
    return f"One gateway holds all of it ({takes}, of {MEMBERS_PER_GATEWAY_MAX:,} with {GATEWAY_CORES_MAX:g})"


def _bytes(count: float) -> str:
    """With a unit that leaves one to three digits before the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIBI:
            return f"{figure_text(count)} {unit}"
        count /= KIBI
    return f"{figure_text(count)} TiB"
