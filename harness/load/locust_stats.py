"""Locust's own statistics: adds chatbench's rows in batches, and writes Locust's tables as CSV."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Mapping

import locust.stats
from locust.env import Environment
from locust.stats import CSVWriter, RequestStats, StatsEntry

from harness.core.escapes import SpreadsheetRows

ROW_TYPE = "chat"  # the "method" of all rows in Locust's statistics
KEPT_ROWS = ("connect", "join")  # members connect and join once, before any phase


def add_row(stats: RequestStats, name: str, latencies_ms: Mapping[float, int]) -> None:
    """Add many responses to the row at once, as Locust merges a worker's report. `latencies_ms`: latency -> count."""
    counts = locust_ms(latencies_ms)
    if not counts:
        return
    batch = StatsEntry(stats, name, ROW_TYPE)
    total = counts.total()
    now = time.time()
    batch.num_requests = total
    batch.total_response_time = sum(ms * count for ms, count in counts.items())
    batch.min_response_time = min(counts)
    batch.max_response_time = max(counts)
    batch.response_times = dict(counts)
    batch.num_reqs_per_sec = {int(now): total}
    batch.last_request_timestamp = now
    _extend(stats, batch)


def clear_rows(stats: RequestStats) -> None:
    """Clear all rows except KEPT_ROWS."""
    before = [stats.get(name, ROW_TYPE) for name in KEPT_ROWS]
    stats.clear_all()  # replaces every entry, so the ones in `before` stay as they are
    for entry in before:
        if entry.num_requests:
            _extend(stats, entry)


def _extend(stats: RequestStats, entry: StatsEntry) -> None:
    stats.get(entry.name, ROW_TYPE).extend(entry)
    stats.total.extend(entry)


def stats_csv(environment: Environment) -> str:
    """Return Locust's table of requests as CSV."""
    out = io.StringIO()
    SafeStatsCSV(environment, locust.stats.PERCENTILES_TO_REPORT).requests_csv(csv.writer(out))
    return out.getvalue()


class SafeStatsCSV(locust.stats.StatsCSV):
    """Locust's tables, escaped so that no spreadsheet runs a name or message of the locustfile as a formula."""

    def requests_csv(self, csv_writer: CSVWriter) -> None:
        super().requests_csv(SpreadsheetRows(csv_writer))

    def failures_csv(self, csv_writer: CSVWriter) -> None:
        super().failures_csv(SpreadsheetRows(csv_writer))

    def exceptions_csv(self, csv_writer: CSVWriter) -> None:
        super().exceptions_csv(SpreadsheetRows(csv_writer))


def locust_ms(latencies_ms: Mapping[float, int]) -> Counter[int]:
    """Return counts by milliseconds, rounded to the steps that Locust uses: 1 below 100, 10 below 1000, and so on."""
    rounded: Counter[int] = Counter()
    for latency_ms, count in latencies_ms.items():
        ms, step = round(latency_ms), 1
        while ms // step >= 100:
            step *= 10
        rounded[round(ms / step) * step] += count
    return rounded
