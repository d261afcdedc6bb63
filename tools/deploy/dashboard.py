"""Generates Grafana's dashboard: the metrics of gateways and driver in Prometheus, one panel for each question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "prometheus"}
WINDOW = "[15s]"  # the length of three scrapes
COLUMNS, WIDTH, HEIGHT = 3, 8, 8


@dataclass(frozen=True, slots=True)
class DashboardPanel:
    """One panel of the dashboard."""

    title: str
    unit: str  # Grafana's name of the unit
    queries: dict[str, str]  # legend -> PromQL
    kind: str = "timeseries"


def _rate(metric: str, by: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{WINDOW}))" if by else f"sum(rate({metric}{WINDOW}))"


PANELS = (
    DashboardPanel(
        "Messages and deliveries per second, as members see them",
        "ops",
        {
            "said": _rate("chatbench_driver_said_total"),
            "acked": _rate("chatbench_driver_acked_total"),
            "delivered": _rate("chatbench_driver_delivered_total"),
        },
    ),
    DashboardPanel(
        "Latency of the last second", "s", {"p{{quantile}}": "max by (quantile) (chatbench_driver_latency_seconds)"}
    ),
    DashboardPanel(
        "Ledger of the last measurement",
        "short",
        {
            what: f'max(chatbench_driver_verdict{{what="{what}"}})'
            for what in ("expected", "delivered", "lost", "lost_acked", "duplicated", "reordered")
        },
        kind="stat",
    ),
    DashboardPanel(
        "Deliveries per second, by gateway",
        "ops",
        {"gateway {{gateway}}": _rate("chatbench_gateway_deliveries_total", "gateway")},
    ),
    DashboardPanel(
        "Members, by gateway", "short", {"gateway {{gateway}}": "sum by (gateway) (chatbench_gateway_members)"}
    ),
    DashboardPanel(
        "Wasted copies per second, by gateway",
        "ops",
        {"gateway {{gateway}}": _rate("chatbench_gateway_wasted_total", "gateway")},
    ),
    DashboardPanel(
        "CPU of each gateway, cores", "short", {"{{instance}}": 'rate(process_cpu_seconds_total{job="gateway"}[15s])'}
    ),
    DashboardPanel("Memory of each gateway", "bytes", {"{{instance}}": 'process_resident_memory_bytes{job="gateway"}'}),
    DashboardPanel(
        "Events at the gateways, drops by cause", "ops", {"{{event}}": _rate("chatbench_gateway_events_total", "event")}
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana's JSON model."""
    return {
        "uid": "chatbench",
        "title": "chatbench",
        "schemaVersion": 41,
        "refresh": "5s",
        "time": {"from": "now-10m", "to": "now"},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: DashboardPanel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }
