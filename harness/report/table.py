"""What commands end with on a terminal, but for comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness.core.units import cost_text, figure_text, size_text
from harness.experiments.capacity import Attempt, Capacity
from harness.experiments.claims.claim import Claim, Finding
from harness.experiments.costs.advice import Advice, Cost
from harness.experiments.costs.components import PARTS
from harness.experiments.costs.model import Model
from harness.experiments.costs.sizing import GATEWAY_CORES_MAX, MEMBERS_PER_GATEWAY_MAX, OneGateway
from harness.experiments.costs.validation import Held
from harness.experiments.fault_matrix import Matrix, of_round, rows
from harness.experiments.selftest import Check
from harness.report.fitting import Column, Fitted
from harness.runs.summary import Summary

NOT_MEASURED = "not measured"
KIBI = 1024
WORTH_SAYING = 1.01  # messages per write
LATENCY_NOTE = (
    "* in milliseconds, as measured in the run that is most like this one, on one machine; latency is not "
    "predicted. Not measured: brokers that replicate, other machines."
)


def summary_table(summary: Summary) -> Table:
    """Figures of one run for people. Latency of a run whose driver was not valid is not shown as a figure."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"{summary.arch} · {summary.scenario}", overflow="fold")
    counts = ((summary.members, "member"), (summary.rooms, "room"), (summary.gateways, "gateway"))
    sizes = " · ".join(f"{_n(count)} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    table.add_column(sizes, justify="right", overflow="fold")
    add = table.add_row
    add("messages sent / acked / not sent", f"{_n(summary.sent)} / {_n(summary.acked)} / {_n(summary.not_sent)}")
    add("deliveries", f"{_n(summary.delivered)} of {_n(summary.expected)} expected")
    add("deliveries/s", _x(summary.deliveries_per_s, ",.0f"))
    add("lost (of these acked)", f"{_share(summary.lost, summary.expected)} ({_n(summary.lost_acked)})")
    add("duplicated", _n(summary.duplicated))
    add("out of order", _n(summary.reordered))
    if summary.duplicated_on_return:
        add("  again to members who came back", _n(summary.duplicated_on_return))
    if cut_off := (summary.gateway_counts or {}).get("cut_off_slow"):
        add("cut off for reading too slowly", f"{_n(cut_off)} members")
    if summary.lost_in_break:
        add("  lost in a connection that broke", _n(summary.lost_in_break))
    for fault in summary.faults:
        add(
            f"{fault.fault}: heard / normal again after",
            f"{_after(fault.first_delivery_ms)} / {_after(fault.normal_ms, fault.comparable)}",
        )
        if fault.availability is not None:
            add("  available since: acked, heard by all", f"{fault.availability:.1%}")
    if summary.disconnects:
        away = "nobody came back" if summary.away_ms.max is None else f"away for {_after(summary.away_ms.max)} at most"
        add("connections that broke", f"{_n(summary.disconnects)}, {away}")
    if summary.away_at_end:
        add("members still away at the end", _n(summary.away_at_end))
    _add_returns(table, summary)
    _add_shares(table, summary)
    table.add_section()
    _add_latencies(table, summary)
    cpu = summary.cpu_us_per_delivery
    parts = (
        ("gateway", True, cpu.gateway),
        ("kafka", summary.kafka is not None, cpu.kafka),
        ("redis", summary.redis is not None, cpu.redis),
        ("nats", summary.nats is not None, cpu.nats),
        ("driver", True, cpu.driver),
    )
    for name, is_used, cost in parts:
        if is_used:
            add(f"CPU per delivery, {name}", _cpu(summary, name, cost))
    if summary.frames_per_write is not None and summary.frames_per_write > WORTH_SAYING:
        add("messages that a write to a member carried", f"{summary.frames_per_write:,.2f}")
    add("wasted deliveries per message", _x(summary.wasted_deliveries_per_message, ".2f"))
    if summary.kafka is not None:
        kafka = summary.kafka
        add("Kafka records per message", _x(kafka.records_per_message, ".4g"))
        add("Kafka produce requests per message", _x(kafka.produce_requests_per_message, ".3g"))
        add("Kafka disk bytes per message", _x(kafka.disk_bytes_per_message, ",.0f"))
    if summary.redis is not None:
        add("Redis commands per message", _x(summary.redis.commands_per_message, ".4g"))
    return table


def _cpu(summary: Summary, component: str, cost_us: float | None) -> str:
    """Of a delivery; where CPU time is read in ticks, a short run may have had less than can be told from none."""
    least_us = summary.cpu_resolution_us.get(component, 0) / (summary.delivered or 1)
    return NOT_MEASURED if cost_us is None else f"{cost_text(cost_us, least_us)} us"


def _add_shares(table: Table, summary: Summary) -> None:
    """Of what is in no other figure."""
    use = summary.use
    if use.silenced:
        table.add_row("messages not taken: refused, or unsaid", _share(use.silenced, use.scheduled))
    if use.neither:
        of = use.expected + use.neither
        table.add_row("owed to nobody: joining, leaving, unread", _share(use.neither, of))
    if summary.not_drained:
        table.add_row("not drained, so perhaps only late", _share(summary.not_drained, summary.expected))


def _add_returns(table: Table, summary: Summary) -> None:
    resumed = summary.resumed
    if resumed is None:
        return
    table.add_row("members' returns", _n(resumed.returns))
    missed = f"{_share(resumed.missed, resumed.away)} of {_n(resumed.away)}"
    table.add_row("  missed of what was said meanwhile", missed)
    if resumed.caught_up_ms.p50 is not None:
        figures = " / ".join(_x(value, ",.1f") for value in (resumed.caught_up_ms.p50, resumed.caught_up_ms.p99))
        table.add_row("  having it p50 / p99", f"{figures} ms" if summary.driver.valid is not False else "not valid")


def _add_latencies(table: Table, summary: Summary) -> None:
    valid = summary.driver.valid is not False
    for name, latency in (("delivery", summary.latency_ms), ("ack", summary.ack_ms)):
        figures = " / ".join(_x(value, ",.1f") for value in (latency.p50, latency.p99, latency.p999))
        table.add_row(f"{name} latency p50 / p99 / p99.9", f"{figures} ms" if valid else "not valid")
    if summary.latency_error_ms:
        table.add_row("  wrong by at most, as clocks of hosts differ", f"{summary.latency_error_ms:,.1f} ms")
    spread = " / ".join(_x(value, ",.1f") for value in (summary.spread_ms.p50, summary.spread_ms.p99))
    table.add_row(
        "spread, first to last recipient p50 / p99", f"{spread} ms" if valid else "not valid", end_section=True
    )


def _after(ms: float | None, comparable: bool = True) -> str:
    return f"{ms / 1000:,.1f} s" if ms is not None else "not seen" if comparable else "cannot tell"


def capacity_table(capacity: Capacity) -> Fitted:
    """Every run that was made on the way, by rate."""
    attempts = sorted(capacity.attempts, key=lambda each: (each.rate_per_s, each.record))

    def latencies(column: str) -> list[str]:
        return [_x(getattr(each, column), ",.1f") if each.driver_valid else "not valid" for each in attempts]

    return Fitted(
        [
            Column("messages/s", [f"{each.rate_per_s:,g}" for each in attempts], right=True),
            Column("deliveries/s", [_x(each.deliveries_per_s, ",.0f") for each in attempts], right=True, spare=2),
            Column("p50 ms", latencies("p50_ms"), right=True, spare=1),
            Column("p99 ms", latencies("p99_ms"), right=True),
            Column("objective", map(_objective, attempts), folds=True),
        ],
        title=f"{capacity.arch} · {capacity.scenario} · {capacity.settings.members:,} members · "
        f"capacity: {capacity.rate_text}",
    )


def _objective(attempt: Attempt) -> Text:
    if attempt.held:
        return Text("held")
    what = ("broke:", "red") if attempt.driver_valid else ("not told:", "yellow")
    return Text.assemble(what, f" {attempt.why}")


# Of the matrix's columns: those that are always shown, and in which order the others are as the window gets wider.
ALWAYS = ("architecture", "fault", "verdict", "lost though acked", "normal again")
THEN = (
    "available",
    "heard again",
    "lost in a broken connection",
    "twice",
    "out of order",
    "lost, never acked",
    "not taken",
)


def faults_table(matrix: Matrix) -> Fitted:
    """A row for each architecture under each fault."""
    head, *body = rows(matrix)
    texts = {"architecture", "fault", "promised", "verdict"}
    spare = dict.fromkeys(head, len(THEN) + 1) | {name: rank for rank, name in enumerate(THEN, 1)}
    spare |= dict.fromkeys(ALWAYS, 0)
    return Fitted(
        [
            Column(name, cells, right=name not in texts, spare=spare[name])
            for name, *cells in zip(head, *body, strict=True)
        ],
        styles=["red" if any("BROKEN" in text for text in row) else "" for row in body],
    )


def faults_lines(matrix: Matrix) -> list[str]:
    """How many promises held, and which did not."""
    judged = [cell for cell in matrix.cells if cell.held is not None]
    broken = [cell for cell in judged if not cell.held]
    untold = sum(cell.promised and cell.held is None for cell in matrix.cells)
    held = f"{len(judged) - len(broken)} of {len(judged)} promises to survive a fault held"
    lines = [f"{held}, and of {untold} the runs could not tell." if untold else f"{held}."]
    return lines + [f"BROKEN: {cell.arch} under {cell.fault}{of_round(cell, matrix)}." for cell in broken]


def claims_table(findings: Sequence[tuple[Claim, Finding]]) -> Fitted:
    """A row for each claim: what it is, what that means, and what came."""
    return Fitted(
        [
            Column("", [claim.id for claim, _ in findings]),
            Column("verdict", [Text(finding.verdict, style="bold") for _, finding in findings]),
            Column("claim", [claim.claim for claim, _ in findings], folds=True),
            Column("measured", ["\n".join(finding.measured) for _, finding in findings], folds=True),
        ]
    )


def unit_cost_rows(model: Model) -> list[tuple[str, str, str]]:
    """A part of the system, what there is one of, and what one costs: of every architecture, or of each."""
    rows: dict[tuple[str, str], list[str]] = {}
    for part in PARTS:
        units, unit = model.units[part.name], "us" if part.column.endswith("us_per_s") else "B"
        for name, cost in zip(units.names, units.costs, strict=True):
            thing, _, arch = name.removesuffix(")").partition(" (")
            rows.setdefault((part.name, thing), []).append(f"{arch} {figure_text(cost)} {unit}".strip())
    return [(part, thing, ", ".join(costs)) for (part, thing), costs in rows.items()]


def unit_costs_table(model: Model) -> Fitted:
    """What one of everything costs."""
    parts, things, costs = zip(*unit_cost_rows(model), strict=True)
    return Fitted([Column("part", parts), Column("of one", things, folds=True), Column("costs", costs, folds=True)])


def held_out_table(held: Sequence[Held]) -> Fitted:
    """How good predictions are."""
    return Fitted(
        [
            Column("predicted from the workload alone", [each.what for each in held], folds=True),
            Column("runs held out", [str(each.runs) for each in held], right=True),
            Column("median error", [f"{each.median_error:.1%}" for each in held], right=True),
            Column("worst error", [f"{each.worst_error:.1%}" for each in held], right=True),
            Column("within the 90 % interval", [f"{each.within:.0%}" for each in held], right=True),
        ]
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


def selftest_table(checks: Sequence[Check]) -> Fitted:
    """A row for each figure that was checked against a truth."""
    marks = {True: ("held", "green"), False: ("WRONG", "red"), None: ("too busy to tell", "yellow")}
    return Fitted(
        [
            Column("figure", [check.what for check in checks], folds=True),
            Column("", [Text(*marks[check.held]) for check in checks]),
            Column("injected", [check.injected for check in checks], right=True),
            Column("reported", [check.reported for check in checks], right=True),
            Column("error", [check.error for check in checks], right=True, spare=2),
            Column("allowed", [check.allowed for check in checks], spare=1),
        ]
    )


def capacity_lines(capacity: Capacity) -> list[Text]:
    """What was found, with how sure it is, and what was in the way of more."""
    objective = f"p99 <= {capacity.objective.p99_ms:g} ms, nothing lost, all sent"
    if capacity.rate_per_s is None and capacity.limited_by_driver:
        where = f"even at {capacity.broke_at_per_s:,g} messages/s the driver was in the way ({capacity.broke_why})"
        return [Text(f"not told: {where}; try fewer --members, or {_more_driver(capacity)}")]
    if capacity.rate_per_s is None:
        return [Text(f"the objective ({objective}) did not hold at any rate that was tried: {capacity.broke_why}")]
    sure = f"held in {capacity.held_runs} of {capacity.held_runs} runs"
    share = f"95 % sure that at least {capacity.held_at_least:.0%} of runs hold"
    found = Text.assemble("capacity: ", (capacity.rate_text, "bold"), f" ({objective}; {sure}: {share})")
    if capacity.broke_at_per_s is None:
        return [found, Text("it never broke: more than that was not tried")]
    lines = [
        f"at {capacity.broke_at_per_s:,g} messages/s it broke: {capacity.broke_why}",
        f"saturated there: {', '.join(capacity.saturated) or 'nothing by its CPU time'}",
    ]
    if capacity.limited_by_driver:
        more = _more_driver(capacity)
        lines.append(f"the driver was in the way, so the architecture itself may take more; try {more}")
    return [found, *map(Text, lines)]


def _more_driver(capacity: Capacity) -> str:
    workers, processes = capacity.settings.expect_workers, capacity.settings.processes
    return f"--expect-workers {2 * workers}" if workers else f"--processes {2 * processes}"


def verdict_lines(summary: Summary) -> list[str]:
    """Below the table: promises that did not hold, and a driver that was not valid."""
    lines = [f"promise broken: {check.promise} ({check.evidence})" for check in summary.promises if check.held is False]
    if not summary.use.is_most:
        lines.append(f"more than a quarter of this chat is not in these figures: {summary.use}")
    lines += [f"under the fault: {ending}" for ending in summary.ended]
    if summary.left_behind is not None:
        lines.append(f"left behind: {summary.left_behind}")
    if summary.driver.valid is False:
        lines.append(f"not valid, the driver was the bottleneck: {summary.driver.why}")
    return lines


def _n(count: int | None) -> str:
    return NOT_MEASURED if count is None else f"{count:,}"


def _x(value: float | None, form: str) -> str:
    return NOT_MEASURED if value is None else format(value, form)


def _share(part: int | None, whole: int | None) -> str:
    if part is None or not whole:
        return _n(part)
    return f"{part:,} = {part / whole:.2%}" if part else "0"
