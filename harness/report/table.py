"""The tables that runs and comparisons end with, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness.capacity import Attempt, Capacity
from harness.claims.claim import Claim, Finding
from harness.costs.advice import Advice
from harness.costs.check import Held
from harness.costs.model import Model
from harness.costs.parts import PARTS
from harness.fault_matrix import Matrix, rows
from harness.figures import cost_text, figure_text
from harness.report.comparison import Comparison
from harness.selftest import Check
from harness.summary import Summary

NOT_MEASURED = "not measured"
KIBI = 1024
BETWEEN_COLUMNS, EDGES = 3, 2  # of a table in SIMPLE_HEAD
WORTH_SAYING = 1.01  # messages per write


def summary_table(summary: Summary) -> Table:
    """Figures of one run for people. Latency of a run whose driver was not valid is not shown as a figure."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"{summary.arch} · {summary.scenario}")
    counts = ((summary.members, "member"), (summary.rooms, "room"), (summary.gateways, "gateway"))
    sizes = " · ".join(f"{_n(count)} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    table.add_column(sizes, justify="right")
    add = table.add_row
    add("messages sent / acked / not sent", f"{_n(summary.sent)} / {_n(summary.acked)} / {_n(summary.not_sent)}")
    add("deliveries", f"{_n(summary.delivered)} of {_n(summary.expected)} expected")
    add("deliveries/s", _x(summary.deliveries_per_s, ",.0f"))
    add("lost (of these acked)", f"{_share(summary.lost, summary.expected)} ({_n(summary.lost_acked)})")
    add("duplicated", _n(summary.duplicated))
    add("out of order", _n(summary.reordered))
    if cut_off := (summary.gateway_counts or {}).get("cut_off_slow"):
        add("cut off for reading too slowly", f"{_n(cut_off)} members")
    if summary.lost_in_break:
        add("  lost in a connection that broke", _n(summary.lost_in_break))
    for fault in summary.faults:
        add(
            f"{fault.fault}: heard / normal again after",
            f"{_after(fault.first_delivery_ms)} / {_after(fault.normal_ms)}",
        )
    if summary.disconnects:
        away = "nobody came back" if summary.away_ms.max is None else f"away for {_after(summary.away_ms.max)} at most"
        add("connections that broke", f"{_n(summary.disconnects)}, {away}")
    if summary.away_at_end:
        add("members still away at the end", _n(summary.away_at_end))
    _add_returns(table, summary)
    if summary.neither:
        add("owed to nobody: joining, leaving, unread", _n(summary.neither))
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


def _after(ms: float | None) -> str:
    return "not seen" if ms is None else f"{ms / 1000:,.1f} s"


def capacity_table(capacity: Capacity) -> Table:
    """Every run that was made on the way, by rate."""
    chat = f"{capacity.arch} · {capacity.scenario} · {capacity.settings.members:,} members"
    title = f"{chat} · capacity: {capacity.rate_text}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("messages/s", "deliveries/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    table.add_column("objective")
    for attempt in sorted(capacity.attempts, key=lambda each: (each.rate_per_s, each.record)):
        table.add_row(
            f"{attempt.rate_per_s:,g}",
            _x(attempt.deliveries_per_s, ",.0f"),
            *(_x(ms, ",.1f") if attempt.driver_valid else "not valid" for ms in (attempt.p50_ms, attempt.p99_ms)),
            _objective(attempt),
        )
    return table


def _objective(attempt: Attempt) -> Text:
    if attempt.held:
        return Text("held")
    what = ("broke:", "red") if attempt.driver_valid else ("not told:", "yellow")
    return Text.assemble(what, f" {attempt.why}")


def faults_table(matrix: Matrix) -> Table:
    """A row for each architecture under each fault."""
    head, *body = rows(matrix)
    table = Table(*head, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in body:
        table.add_row(*row, style="red" if "BROKEN" in row else None)
    return table


def claims_table(findings: Sequence[tuple[Claim, Finding]]) -> Table:
    """A row for each claim: what it is, what came, and what that means."""
    table = Table("", "claim", "measured", "verdict", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, leading=1)
    for claim, finding in findings:
        table.add_row(claim.id, claim.claim, "\n".join(finding.measured), finding.verdict)
    return table


def unit_cost_rows(model: Model) -> list[tuple[str, str, str]]:
    """A part of the system, what there is one of, and what one costs: of every architecture, or of each."""
    rows: dict[tuple[str, str], list[str]] = {}
    for part in PARTS:
        units, unit = model.units[part.name], "us" if part.column.endswith("us_per_s") else "B"
        for name, cost in zip(units.names, units.costs, strict=True):
            thing, _, arch = name.removesuffix(")").partition(" (")
            rows.setdefault((part.name, thing), []).append(f"{arch} {figure_text(cost)} {unit}".strip())
    return [(part, thing, ", ".join(costs)) for (part, thing), costs in rows.items()]


def unit_costs_table(model: Model) -> Table:
    """What one of everything costs."""
    table = Table("part", "of one", "costs", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in unit_cost_rows(model):
        table.add_row(*row)
    return table


def held_out_table(held: Sequence[Held]) -> Table:
    """How good predictions are."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("predicted from the workload alone")
    for column in ("runs held out", "median error", "worst error", "within the 90 % interval"):
        table.add_column(column, justify="right")
    for each in held:
        errors = (f"{error:.1%}" for error in (each.median_error, each.worst_error))
        table.add_row(each.what, str(each.runs), *errors, f"{each.within:.0%}")
    return table


def advice_table(advice: Advice) -> Table:
    """A row for each architecture that can do it, the cheapest first."""
    wish = advice.wish
    chat = f"{wish.rooms:,} rooms of {wish.members_per_room:,g}, {wish.rate_per_s:,g} msg/s of {wish.payload_bytes:,} B"
    table = Table(title=chat, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    columns = ("gateways", "cores (90 %)", "of these", "memory", "to members", "backend", "disk/day", "p50 / p99*")
    for column in ("", *columns):
        table.add_column(column, justify="right" if column else "left")
    for cost in advice.costs:
        cores = ", ".join(f"{name} {figure_text(each.value)}" for name, each in cost.cores_of.items())
        measured_ms = (cost.nearest_p50_ms, cost.nearest_p99_ms)
        latency = " / ".join("not valid" if ms is None else f"{ms:,.0f}" for ms in measured_ms)
        table.add_row(
            cost.arch,
            f"{cost.gateways:,}",
            "{} ({}-{})".format(*(figure_text(each) for each in (cost.cores.value, cost.cores.low, cost.cores.high))),
            cores,
            _bytes(cost.memory_bytes.value),
            f"{_bytes(cost.to_members_bytes_per_s.value)}/s",
            f"{_bytes(cost.backend_bytes_per_s.value)}/s",
            _bytes(cost.disk_bytes_per_day.value),
            f"{latency} ms",
        )
    return table


def advice_lines(advice: Advice) -> list[Text]:
    """What is recommended, how sure that is, and what would change it."""
    whole = advice.held_out[0]
    if advice.choice:
        named = Text(" or ").join(Text(name, "bold") for name in advice.choice)
        chosen = Text.assemble(
            "For this chat: ", named, ", the least CPU in gateways and brokers of those that can do it."
        )
    else:
        chosen = Text("None of them can do this.")
    lines = [f"Not {name}: {why}." for name, why in advice.out.items()]
    lines += [f"It would change with {change}." for change in advice.would_change]
    lines.append(
        f"Predictions of CPU were off by {whole.median_error:.1%} in the median of {whole.runs} runs held out."
    )
    lines += [f"Further than measured: {beyond}." for beyond in advice.beyond]
    lines.append(
        "* in milliseconds, as measured in the run that is most like this one, on one small machine; latency is not "
        "predicted. Not measured: brokers that replicate, other machines."
    )
    return [chosen, *map(Text, lines)]


def _bytes(count: float) -> str:
    """With a unit that leaves one to three digits before the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIBI:
            return f"{figure_text(count)} {unit}"
        count /= KIBI
    return f"{figure_text(count)} TiB"


def selftest_table(checks: Sequence[Check]) -> Table:
    """A row for each figure that was checked against a truth."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("figure", "injected", "reported", "error", "allowed", ""):
        table.add_column(column, justify="right" if column in {"injected", "reported", "error"} else "left")
    marks = {True: Text("held", "green"), False: Text("WRONG", "red"), None: Text("too busy to tell", "yellow")}
    for check in checks:
        table.add_row(check.what, check.injected, check.reported, check.error, check.allowed, marks[check.held])
    return table


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


def comparison_tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """An architecture a column, a figure a row; ratios are over the baseline.

    As many columns as `width` takes without a figure cut short; the others in further tables.
    """
    corner = "" if comparison.baseline is None else f"small: times {comparison.baseline}"
    columns = [
        [name, *(f"{cell.value}\n{cell.small}" for cell in cells)]
        for name, *cells in zip(comparison.names, *(row.cells for row in comparison.rows), strict=True)
    ]
    widths = [max(len(line) for text in column for line in text.split("\n")) + BETWEEN_COLUMNS for column in columns]
    beside = width - EDGES - max(len(corner), *(len(row.label) for row in comparison.rows))
    for first, last in _fitting(widths, beside):
        table = Table(
            title=comparison.workload,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            min_width=min(width, len(comparison.workload)),
        )
        table.add_column(corner, no_wrap=True)
        for name in comparison.names[first:last]:
            table.add_column(name, justify="right")
        for row in comparison.rows:
            cells = [Text.assemble(each.value, (f"\n{each.small}" if each.small else "", "dim")) for each in row.cells]
            table.add_row(row.label, *cells[first:last])
        yield table


def _fitting(widths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbours, from first to before last, that have room together; one alone where even that has none."""
    first = 0
    for last in range(1, len(widths) + 1):
        if last == len(widths) or sum(widths[first : last + 1]) > room:
            yield first, last
            first = last


def verdict_lines(summary: Summary) -> list[str]:
    """Below the table: promises that did not hold, and a driver that was not valid."""
    lines = [f"promise broken: {check.promise} ({check.evidence})" for check in summary.promises if check.held is False]
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
