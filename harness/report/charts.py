"""The charts of one workload, each drawn only from frames."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from harness.report.cost_charts import correctness, cpu_per_delivery, kafka_cost
from harness.report.latency_charts import (
    has_distribution,
    latency_cdf,
    latency_over_time,
    latency_spectrum,
    percentile_of_seconds,
)
from harness.report.stage_chart import stages
from harness.results.frames import Frames

# The charts by file name, each with its drawing function. Each says itself what one sees.
CHARTS: dict[str, Callable[[Frames], Figure]] = {
    "latency_spectrum": latency_spectrum,
    "latency_cdf": latency_cdf,
    "stages": stages,
    "cpu_per_delivery": cpu_per_delivery,
    "kafka_cost": kafka_cost,
    "correctness": correctness,
    "latency_over_time": latency_over_time,
}


def has_data(name: str, frames: Frames) -> bool:
    """Whether these frames have data for the chart. A chart without data is left out."""
    match name:
        case "latency_spectrum" | "latency_cdf":
            return has_distribution(frames)
        case "stages":
            return bool(len(frames.stages))
        case "kafka_cost":
            return bool(frames.runs["kafka_records_per_message"].notna().any())
        case "correctness":
            return bool((frames.runs["expected"] > 0).any())
        case "cpu_per_delivery":
            return bool(frames.runs["cpu_system_us_per_delivery"].notna().any())
        case _:
            return bool(frames.seconds[f"latency_{percentile_of_seconds(frames)}_ms"].notna().any())
