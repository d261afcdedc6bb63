"""What chatbench adds to Locust's page: a tab with the ledger's verdict and the CPU time of each component."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
from flask import Response, request, send_from_directory
from locust.web import WebUI

from harness.core.escapes import SpreadsheetRows
from harness.core.units import cost_text
from harness.ipc import messages as msg

TAB = "ledger"
NOT_MEASURED = "not measured"
TOTAL_ROW = "Aggregated"
COUNTS = (
    *("sent", "acked", "not_sent", "expected", "delivered"),
    *("lost", "lost_acked", "duplicated", "reordered", "neither"),
)
# This is added to Locust's page, which has no settings for it. Scenario and rate come first, in a section that is
# open. Host and profile are hidden, because they have no effect here. The buttons that change a running test are
# hidden, because that is refused and Locust's page would not say so. The record's path becomes a link, because
# Locust's tables show only text.
PAGE_HEAD = """
<style>
  form > *, form > * > * { order: 1 }
  .MuiAccordion-root:has([name=scenario]) { order: 0 }
  .MuiAccordion-root:has([name=scenario]) .MuiCollapse-root { height: auto !important; visibility: visible !important }
  .MuiAccordionDetails-root:has([name=scenario]) > * {
    display: grid !important; grid-template-columns: repeat(2, 1fr); column-gap: 1rem }
  .MuiFormControl-root:has([name=host]), .MuiFormControl-root:has([name=profile]) { display: none }
</style>
<script>
  new MutationObserver(() => {
    for (const button of document.querySelectorAll("button")) {
      if (["Edit", "Reset"].includes(button.textContent)) button.style.display = "none";
    }
    for (const row of document.querySelectorAll("tr")) {
      const [what, value] = row.children;
      if (value && what.textContent === "record" && !value.firstElementChild) {
        const link = document.createElement("a");
        Object.assign(link, { href: "/record/report.html", target: "_blank", textContent: value.textContent });
        value.replaceChildren(link);
      }
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
</script>
"""


class WebPage:
    """The tab, and the record of the last test."""

    def __init__(self, arch: str) -> None:
        self._arch = arch
        self.recorded: msg.Recorded | None = None  # None while a test runs, and before the first
        self.said = self._acked = self._delivered = 0  # in the current phase

    def begin(self) -> None:
        """Count from 0 for a new test."""
        self.said = self._acked = self._delivered = 0

    def note_second(self, second: msg.Second) -> None:
        if second.second == 0:
            self.said = self._acked = self._delivered = 0
        self.said += second.said
        self._acked += second.acked
        self._delivered += second.delivered

    def add_to(self, web: WebUI) -> None:
        """Add the tab and the record to the page, and the head that arranges the rest."""
        web.template_args = {
            "extended_tabs": [{"title": "Ledger and CPU", "key": TAB}],
            "extended_tables": [
                {"key": TAB, "structure": [{"key": "what", "title": "What"}, {"key": "value", "title": self._arch}]}
            ],
            "extended_csv_files": [{"href": f"/{TAB}/csv", "title": "Download ledger and CPU CSV"}],
        }
        app = web.app
        assert app is not None
        app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the form's fields keep their order

        @app.after_request
        def add_tab(response: Response) -> Response:
            # No other page may frame this one and trick the user into clicking Start.
            response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"
            if request.path == "/stats/requests" and response.is_json:
                response.set_data(json.dumps(self._figures(response.get_json() or {})))
            elif request.path == "/" and response.mimetype == "text/html":
                response.set_data(response.get_data(as_text=True).replace("</head>", f"{PAGE_HEAD}</head>", 1))
            return response

        @app.route("/record/<path:name>")
        def record_file(name: str) -> Response:
            if self.recorded is None or self.recorded.folder is None:
                return Response("there is no record yet; stop the test first\n", 404, mimetype="text/plain")
            return send_from_directory(self.recorded.folder, name)

        @app.route(f"/{TAB}/csv")
        def tab_csv() -> Response:
            out = io.StringIO()
            writer = SpreadsheetRows(csv.writer(out))
            for row in (("what", "value"), *self._rows()):
                writer.writerow(row)
            name = {"Content-Disposition": f"attachment;filename=chatbench-{TAB}.csv"}
            return Response(out.getvalue(), mimetype="text/csv", headers=name)

    def _figures(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Return what Locust's page shows, without the total row, which would add up connects, acks and deliveries."""
        rows = [row for row in figures.get("stats", []) if row["name"] != TOTAL_ROW]
        said = next((row["current_rps"] for row in rows if row["name"] == "say->ack"), 0.0)
        extended = [{"key": TAB, "data": [{"what": what, "value": value} for what, value in self._rows()]}]
        return {**figures, "stats": rows, "total_rps": said, "current_rps": said, "extended_stats": extended}

    def _rows(self) -> list[tuple[str, str]]:
        recorded = self.recorded
        if recorded is None:
            counts = (("said so far", self.said), ("acked so far", self._acked), ("delivered so far", self._delivered))
            return [(what, f"{count:,}") for what, count in counts] + [("verdict and CPU", "when the test is stopped")]
        if recorded.folder is None:
            return [("not recorded", recorded.problem or "")]
        summary = msgspec.json.decode(recorded.summary)
        rows = [(name.replace("_", " "), _figure(summary[name])) for name in COUNTS]
        rows += [
            (f"CPU us per delivery, {part}", NOT_MEASURED if us is None else cost_text(us))
            for part, us in summary["cpu_us_per_delivery"].items()
        ]
        rows += [(f"delivery latency {part}, ms", _figure(ms)) for part, ms in summary["latency_ms"].items()]
        rows += [(f"promise: {check['promise']}", _outcome(check["held"])) for check in summary["promises"]]
        valid = summary["driver"]["valid"]
        rows.append(("driver", "valid" if valid else f"not valid: {summary['driver']['why']}"))
        return [*rows, ("record", recorded.folder)]


def _figure(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _outcome(held: bool | None) -> str:
    return {True: "held", False: "broken", None: "not tested"}[held]
