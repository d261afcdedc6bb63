"""Compare the simulation with measured runs: the same chat on the same gateways, and one driver that reads it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from harness.core.errors import UsageError
from harness.experiments.costs.model import Model, workload_of
from harness.experiments.costs.observations import points_of
from harness.experiments.simulation.base_latency import base_latency
from harness.experiments.simulation.path import path_of
from harness.experiments.simulation.plan import Fleet
from harness.experiments.simulation.service_times import ServiceTimes, service_times
from harness.experiments.simulation.window import Driver, Interval, Window
from harness.results.frames import RunRecord

# What chatbench's audience takes on the machine of the reference: runs with rooms of 1,000 members and more, and with
# 10,000 messages a second, where nearly all of its CPU time is for what it reads.
DRIVER = Driver(read_s=4.5e-6, delivery_s=0.6e-6)
SENT_MAX = 5_000
SETTLING = 0.2
BUSY_MAX = 0.7  # of the cores of the machine; above it, what runs there waits for a core, which is not simulated
PARTS = ("gateway", "kafka", "redis")
CPU_GOAL, P99_GOAL = 0.15, 0.30


class CheckedQuantity(msgspec.Struct, frozen=True, kw_only=True):
    """How far the simulation is off for one quantity, relative to what was measured."""

    what: str
    runs: int
    median_error: float
    worst_error: float
    goal: float | None
    within_goal: float | None  # share of the runs


def validated(records: Sequence[RunRecord], model: Model) -> pd.DataFrame:
    """A row for each complete run without losses of an architecture of the model, with what was simulated and measured.

    The machine is simulated at the speed it had in the run, and Kafka's CPU time is without that of its compiler.
    Columns: the shape of the run; `below_saturation`; `cores`, `cores_gateway`, `cores_kafka`, `cores_redis`,
    `latency_p50_ms` and `latency_p99_ms`, each with `_simulated` and `_measured`. NaN: the run has not, or not validly,
    measured it. Raises UsageError if there is no such run.
    """
    points = points_of(records)
    if not points.empty:
        alike = points["scenario"].isin(["big_room", "many_rooms"]) & (points["replicas"] == 1)
        points = points[alike & points["arch"].isin(model.architectures)]
    if points.empty:
        raise UsageError("no run in this folder can be compared; name one with complete runs of big_room or many_rooms")
    return pd.DataFrame([_compared(run, model) for _, run in points.iterrows()])


def _compared(run: pd.Series[Any], model: Model) -> dict[str, Any]:
    times, counted, seconds = _simulated(run, model)
    gateways = int(run["gateways"])
    simulated = {
        "gateway": counted.used_s["gateway"].sum() / seconds + gateways * times.idle_gateway_cores,
        "kafka": counted.used_s["broker"].sum() / seconds + times.idle_kafka_cores
        if "broker" in counted.used_s
        else np.nan,
        "redis": counted.used_s["redis"].sum() / seconds + times.idle_redis_cores
        if "redis" in counted.used_s
        else np.nan,
    }
    shape = ("record", "arch", "members", "rooms", "gateways", "publishes_per_s", "payload_bytes")
    row: dict[str, Any] = {name: run[name] for name in shape}
    driver_cores = run["cpu_driver_us_per_delivery"] * run["deliveries_per_s"] / 1e6
    measured = {part: float(run[f"{part}_us_per_s"]) / 1e6 for part in PARTS}
    whole = sum(value for value in measured.values() if not np.isnan(value))
    row["below_saturation"] = bool((whole + driver_cores) <= BUSY_MAX * float(run["host_cores"]))
    row["driver_valid"] = bool(run["driver_valid"])
    for part in PARTS:
        row[f"cores_{part}_simulated"] = simulated[part]
        row[f"cores_{part}_measured"] = measured[part]
    row["cores_simulated"] = float(np.nansum(list(simulated.values())))
    row["cores_measured"] = whole
    row["frames_per_write_simulated"] = counted.deliveries / counted.writes if counted.writes else 1.0
    row["frames_per_write_measured"] = float(run["frames_per_write"])
    for percent in (50, 99):
        heard = counted.latencies_ms
        row[f"latency_p{percent}_ms_simulated"] = float(np.percentile(heard, percent)) if len(heard) else np.nan
        row[f"latency_p{percent}_ms_measured"] = float(run[f"latency_p{percent}_ms"])
    return row


def _simulated(run: pd.Series[Any], model: Model) -> tuple[ServiceTimes, Interval, float]:
    arch, gateways, rooms = str(run["arch"]), int(run["gateways"]), int(run["rooms"])
    fleet = Fleet(
        arch=arch,
        rooms=rooms,
        members=float(run["members"]),
        hot_share=1 / rooms,
        gateways=gateways,
        brokers=int(run["brokers"]),
        broker_cores=1 if pd.isna(run["host_cores"]) else int(run["host_cores"]),
        partitions=gateways if pd.isna(run["partitions"]) else int(run["partitions"]),
        shards=1,
        in_turn=True,
    )
    rate_per_s = float(run["publishes_per_s"])
    times = service_times(model, arch, workload_of(run), float(run["slowness_ms"]))
    window = Window(fleet, path_of(arch), times, base_latency(model, arch), seed=int(run["seed"]), driver=DRIVER)
    whole_s = min(float(run["duration_s"]), SENT_MAX / rate_per_s)
    _, counted = window.run(rate_per_s, [SETTLING * whole_s, whole_s])
    return times, counted, (1 - SETTLING) * whole_s


def summed_up(checked: pd.DataFrame) -> list[CheckedQuantity]:
    """The errors over the runs below saturation whose driver was valid, the total CPU first."""
    fair = checked[checked["below_saturation"] & checked["driver_valid"]]
    quantities = (
        ("CPU of gateways and brokers", "cores", CPU_GOAL),
        *((f"CPU of {part}", f"cores_{part}", CPU_GOAL) for part in PARTS),
        ("messages per write", "frames_per_write", None),
        ("latency p50", "latency_p50_ms", None),
        ("latency p99", "latency_p99_ms", P99_GOAL),
    )
    found = []
    for what, column, goal in quantities:
        errors = (fair[f"{column}_simulated"] / fair[f"{column}_measured"] - 1).abs().dropna()
        if len(errors):
            within = None if goal is None else float((errors <= goal).mean())
            found.append(
                CheckedQuantity(
                    what=what,
                    runs=len(errors),
                    median_error=float(errors.median()),
                    worst_error=float(errors.max()),
                    goal=goal,
                    within_goal=within,
                )
            )
    return found
