"""The table and the lines that a run ends with on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from harness.analysis.percentiles import why_not_shown
from harness.core.units import cost_text, figure_text
from harness.measure.histogram import LatencyMs
from harness.report.cells import NOT_MEASURED, count_text, number_cell, share_text
from harness.runs.summary import KafkaCpu, Summary

PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}
WORTH_SAYING = 1.01  # messages per write
COMPILER_SHARE_COLD = 0.1  # of Kafka's CPU time


def summary_table(summary: Summary) -> Table:
    """The figures of one run. If the driver was not valid, no latencies are shown."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"{summary.arch} · {summary.scenario}", overflow="fold")
    counts = ((summary.members, "member"), (summary.rooms, "room"), (summary.gateways, "gateway"))
    sizes = " · ".join(f"{count_text(count)} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    table.add_column(sizes, justify="right", overflow="fold")
    add = table.add_row
    add(
        "messages sent / acked / not sent",
        f"{count_text(summary.sent)} / {count_text(summary.acked)} / {count_text(summary.not_sent)}",
    )
    add("deliveries", f"{count_text(summary.delivered)} of {count_text(summary.expected)} expected")
    add("deliveries/s", number_cell(summary.deliveries_per_s, ",.0f"))
    add("lost (of these acked)", f"{share_text(summary.lost, summary.expected)} ({count_text(summary.lost_acked)})")
    add("duplicated", count_text(summary.duplicated))
    add("out of order", count_text(summary.reordered))
    if summary.duplicated_on_return:
        add("  repeated to members who came back", count_text(summary.duplicated_on_return))
    if cut_off := (summary.gateway_counts or {}).get("cut_off_slow"):
        add("cut off for reading too slowly", f"{count_text(cut_off)} members")
    if summary.lost_in_break:
        add("  lost in a broken connection", count_text(summary.lost_in_break))
    for fault in summary.faults:
        add(
            f"{fault.fault}: heard / normal again after",
            f"{_after(fault.first_delivery_ms)} / {_after(fault.normal_ms, fault.comparable)}",
        )
        if fault.availability is not None:
            add("  available since then", f"{fault.availability:.1%}")
    if summary.disconnects:
        away = (
            "no member came back" if summary.away_ms.max is None else f"away for {_after(summary.away_ms.max)} at most"
        )
        add("connections that broke", f"{count_text(summary.disconnects)}, {away}")
    if summary.away_at_end:
        add("members still away at the end", count_text(summary.away_at_end))
    _add_returns(table, summary)
    _add_shares(table, summary)
    table.add_section()
    _add_latencies(table, summary)
    _add_stages(table, summary)
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
        add("messages per write to a member", f"{summary.frames_per_write:,.2f}")
    add("wasted deliveries per message", number_cell(summary.wasted_deliveries_per_message, ".2f"))
    if summary.kafka is not None:
        kafka = summary.kafka
        add("Kafka records per message", number_cell(kafka.records_per_message, ".4g"))
        add("Kafka produce requests per message", number_cell(kafka.produce_requests_per_message, ".3g"))
        add("Kafka disk bytes per message", number_cell(kafka.disk_bytes_per_message, ",.0f"))
    if summary.redis is not None:
        add("Redis commands per message", number_cell(summary.redis.commands_per_message, ".4g"))
    return table


def _cpu(summary: Summary, component: str, cost_us: float | None) -> str:
    """CPU per delivery. CPU time is read in ticks, so a short run may use too little of it to be measured."""
    least_us = summary.cpu_resolution_us.get(component, 0) / (summary.delivered or 1)
    return NOT_MEASURED if cost_us is None else f"{cost_text(cost_us, least_us)} us"


def _add_shares(table: Table, summary: Summary) -> None:
    """Add the shares of messages and deliveries that no other figure contains."""
    use = summary.use
    if use.silenced:
        table.add_row("messages not taken: refused or not sent", share_text(use.silenced, use.scheduled))
    if use.neither:
        of = use.expected + use.neither
        table.add_row("not expected: joining, leaving or unread", share_text(use.neither, of))
    if summary.not_drained:
        table.add_row("not drained, perhaps only late", share_text(summary.not_drained, summary.expected))


def _add_returns(table: Table, summary: Summary) -> None:
    resumed = summary.resumed
    if resumed is None:
        return
    table.add_row("members' returns", count_text(resumed.returns))
    missed = f"{share_text(resumed.missed, resumed.away)} of {count_text(resumed.away)}"
    table.add_row("  messages missed while away", missed)
    if resumed.caught_up_ms.p50 is not None:
        figures = " / ".join(
            number_cell(value, ",.1f") for value in (resumed.caught_up_ms.p50, resumed.caught_up_ms.p99)
        )
        table.add_row(
            "  time until caught up p50 / p99", f"{figures} ms" if summary.driver.valid is not False else "not valid"
        )


def _add_stages(table: Table, summary: Summary) -> None:
    if summary.stages is None or summary.driver.valid is not True:
        return
    typical_ms = summary.stages.typical_ms
    table.add_row("a typical message, until the last had it", f"{sum(typical_ms.values()):,.1f} ms")
    for name, stage_ms in typical_ms.items():
        error_ms = summary.stages.error_ms.get(name)
        error = "" if error_ms is None else f" ± {figure_text(error_ms)}"
        table.add_row(f"  {name.replace('_', ' ')}", f"{stage_ms:,.2f}{error} ms")


def _add_latencies(table: Table, summary: Summary) -> None:
    """Add rows of the percentiles that the messages support; one for the others says how many messages they need."""
    for row in _latency_rows("delivery latency", summary, summary.latency_ms, summary.latency_from_sending_ms):
        table.add_row(*row)
    for row in _latency_rows("ack latency", summary, summary.ack_ms):
        table.add_row(*row)
    if summary.latency_error_ms:
        table.add_row("  largest error, from the hosts' clocks", f"{summary.latency_error_ms:,.1f} ms")
    spread = LatencyMs(p50=summary.spread_ms.p50, p99=summary.spread_ms.p99)
    for row in _latency_rows("spread, first to last recipient", summary, spread, names=("p50", "p99")):
        table.add_row(*row)
    table.add_section()


def _latency_rows(
    label: str,
    summary: Summary,
    latency: LatencyMs,
    from_sending: LatencyMs | None = None,
    names: Sequence[str] = ("p50", "p99", "p999"),
) -> Iterator[tuple[str, str]]:
    if summary.driver.valid is False:
        yield f"{label} {_titles(names)}", "not valid"
        return
    messages = summary.messages_behind_percentiles
    measured = [name for name in names if getattr(latency, name) is not None]
    unsupported = [name for name in measured if why_not_shown(PERCENTILES[name], messages) is not None]
    shown = [name for name in names if name not in unsupported]
    if shown:
        figures = f"{_figures(latency, shown)} ms"
        if from_sending is not None and from_sending.p50 is not None:
            figures += f" ({_figures(from_sending, shown)} from sending)"
        yield f"{label} {_titles(shown)}", figures
    if unsupported:
        yield f"{label} {_titles(unsupported)}", why_not_shown(PERCENTILES[unsupported[0]], messages) or ""


def _figures(latency: LatencyMs, names: Sequence[str]) -> str:
    return " / ".join(number_cell(getattr(latency, name), ",.1f") for name in names)


def _titles(names: Sequence[str]) -> str:
    return " / ".join("p99.9" if name == "p999" else name for name in names)


def _after(ms: float | None, comparable: bool = True) -> str:
    return f"{ms / 1000:,.1f} s" if ms is not None else "not seen" if comparable else "cannot tell"


def kafka_cpu_line(cpu: KafkaCpu) -> str:
    """Where Kafka's CPU time went, and what to do if the brokers were still cold."""
    shares = ((cpu.rest_ms, "requests"), (cpu.compiler_ms, "compiler"), (cpu.collector_ms, "collector"))
    line = f"Kafka's CPU: {', '.join(f'{cpu.share_of(part_ms):.0%} {name}' for part_ms, name in shares)}"
    if cpu.share_of(cpu.compiler_ms) <= COMPILER_SHARE_COLD:
        return line
    return f"{line}; the brokers were still warming up: use a longer --warmup, or `chatbench compare`, which warms them"


def verdict_lines(summary: Summary) -> list[str]:
    """The lines below the table: broken promises, whether brokers were cold, and whether the driver was not valid."""
    lines = [f"promise broken: {check.promise} ({check.evidence})" for check in summary.promises if check.held is False]
    if not summary.use.is_most:
        lines.append(f"these figures leave out more than a quarter of this chat: {summary.use}")
    lines += [f"under the fault: {ending}" for ending in summary.ended]
    if summary.kafka_cpu is not None:
        lines.append(kafka_cpu_line(summary.kafka_cpu))
    if summary.left_behind is not None:
        lines.append(f"left behind: {summary.left_behind}")
    if summary.driver.valid is False:
        lines.append(f"not valid, the driver was the bottleneck: {summary.driver.why}")
    return lines
