"""The records of runs as pandas frames, from which every table, chart, CSV file and Parquet file is made."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from harness.analysis.percentiles import messages_needed, why_not_shown
from harness.analysis.ratio import ratio_of
from harness.core.errors import UsageError
from harness.core.escapes import spreadsheet_cell
from harness.core.settings import RunSettings
from harness.core.units import per
from harness.measure.histogram import Latencies, LatencyMs
from harness.results.reading import OnUnreadable, read_histogram, read_run, read_seconds, refuse
from harness.runs.manifest import Manifest
from harness.runs.promises import one_for_each_fault
from harness.runs.record import HISTOGRAMS, record_folders
from harness.runs.summary import FaultSeen, GatewayFigures, SpreadMs, Summary

# Runs are comparable if these columns are equal: the same load on the same number of gateways.
WORKLOAD = ("scenario", "members", "rooms", "gateways", "rate_per_s", "payload_bytes")
KEY = (*WORKLOAD, "arch")
COUNTS = (
    *("sent", "not_sent", "acked", "expected", "delivered", "lost", "lost_acked", "duplicated", "reordered", "neither"),
    *("publishes_per_s", "deliveries_per_s", "wasted_deliveries_per_message", "frames_per_write"),
    *("joins", "joins_redirected"),
)
RESUMED = ("returns", "away", "missed", "repeated")  # counts of members who came back and asked for missed messages
SERVICES = ("gateway", "kafka", "redis", "nats")
# The percentiles that summary.json has of each histogram in a record.
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


# Histograms with one latency or many of each message, and on how many messages a percentile of them rests.
OF_MESSAGES = ("latency", "latency_from_sending", "ack", "spread")
SUPPORT = ("messages", "messages_needed")
STAGE_FIGURES = ("typical_ms", "slow_ms", "p50_ms", "p99_ms", "messages", "typical_of_all_ms", "error_ms")


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of `runs` by which architectures are compared. Lower values are better for each of them."""

    column: str
    label: str
    form: str  # format specification of its values
    unit: str = ""

    @property
    def percentile(self) -> float | None:
        """Which percentile it is, if it is one."""
        columns = {f"{name}_{each}_ms": value for name in HISTOGRAMS for each, value in PERCENTILES.items()}
        return columns.get(self.column)

    @property
    def is_percentile(self) -> bool:
        return self.percentile is not None

    def why_not_shown(self, messages: float) -> str | None:
        """Why it is not shown if it rests on so many messages; not a number: it does not rest on messages."""
        if self.percentile is None or math.isnan(messages):
            return None
        return why_not_shown(self.percentile, int(messages))


METRICS = (
    Metric("latency_p50_ms", "delivery latency p50", ",.1f", "ms"),
    Metric("latency_p99_ms", "delivery latency p99", ",.1f", "ms"),
    Metric("ack_p50_ms", "ack latency p50", ",.1f", "ms"),
    Metric("spread_p50_ms", "spread, first to last recipient, p50", ",.1f", "ms"),
    Metric("caught_up_p50_ms", "time until caught up after a return, p50", ",.1f", "ms"),
    Metric("caught_up_p99_ms", "time until caught up after a return, p99", ",.1f", "ms"),
    Metric("cpu_system_us_per_delivery", "CPU per delivery, gateways + brokers", ",.1f", "us"),
    Metric("kafka_records_per_message", "Kafka records per message", ".4g"),
    Metric("kafka_disk_bytes_per_message", "Kafka disk per message", ",.0f", "B"),
    Metric("redis_commands_per_message", "Redis commands per message", ".4g"),
    Metric("wasted_deliveries_per_message", "copies to gateways without the room, per message", ".3g"),
)


@dataclass(frozen=True, slots=True)
class Frames:
    """Tidy frames: a row is one observation, a column one quantity with its unit in its name.

    A missing value was not measured, or is not valid. A row is:

    runs: one run. seconds: one second of a run. latency: one step of a latency distribution, all rounds merged.
    percentiles: one percentile of an architecture, all rounds merged, with the lowest and the highest of the rounds.
    promises: one promise in a run. faults: one fault that was injected into a run.
    stages: one stage of the way of the messages that a run has traced.
    ratios: one architecture relative to another by one metric, with its interval.
    """

    runs: pd.DataFrame
    seconds: pd.DataFrame
    latency: pd.DataFrame
    percentiles: pd.DataFrame
    promises: pd.DataFrame
    faults: pd.DataFrame
    stages: pd.DataFrame
    ratios: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write each frame as CSV, with texts made safe for spreadsheets, and as Parquet, unchanged."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            frame: pd.DataFrame = getattr(self, field.name)
            frame.map(spreadsheet_cell).to_csv(folder / f"{field.name}.csv", index=False, float_format="%.9g")
            frame.to_parquet(folder / f"{field.name}.parquet", index=False)


Merged = dict[tuple[Any, ...], Latencies]  # by KEY


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One record that was read."""

    folder: Path
    round: int
    summary: Summary
    manifest: Manifest

    @property
    def key(self) -> dict[str, Any]:
        return _key(self.summary, self.manifest.settings)


def read_records(folders: Sequence[Path], on_unreadable: OnUnreadable = refuse) -> list[RunRecord]:
    """Every readable record in these folders, by name; raises UsageError if there is none."""
    found = sorted({found for given in folders for found in record_folders(given)}, key=lambda each: each.name)
    records: list[RunRecord] = []
    rounds: Counter[tuple[Any, ...]] = Counter()  # the number of complete runs with the same key
    for folder in found:
        if (run := read_run(folder, on_unreadable)) is None:
            continue
        summary, manifest = run
        alike = tuple(_key(summary, manifest.settings).values())
        records.append(RunRecord(folder, rounds[alike] + 1, summary, manifest))
        rounds[alike] += summary.status == "complete"
    if not records:
        for folder in found:
            read_run(folder)  # raises, and says why it cannot be read
        names = ", ".join(str(folder) for folder in folders)
        raise UsageError(f"there is no record of a run in {names}; name a folder that `run` or `compare` made")
    return records


def runs_of(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Only the frame `runs` of these records."""
    runs = pd.DataFrame([_run_row(record) for record in records])
    # A column that no run measured must still be numeric, not of objects.
    return runs.astype({column: "float64" for column in runs.columns if runs[column].isna().all()}).copy()


def messages_behind(runs: pd.DataFrame) -> pd.Series[float]:
    """How many messages the percentiles of each run rest on, as Summary.messages_behind_percentiles."""
    return runs["independent_messages"].astype("float64").fillna(runs["sent"].astype("float64")).fillna(0.0)


def frames_of(records: Sequence[RunRecord], on_unreadable: OnUnreadable = refuse) -> Frames:
    """All frames of these records."""
    runs = runs_of(records)
    merged = {name: _merged(records, name, on_unreadable) for name in HISTOGRAMS}
    return Frames(
        runs=runs,
        seconds=pd.concat([_seconds(record, on_unreadable) for record in records], ignore_index=True),
        latency=pd.DataFrame(
            _latency_rows(merged["latency"]), columns=[*WORKLOAD, "arch", "latency_ms", "share_at_most"]
        ),
        percentiles=pd.DataFrame(
            _percentile_rows(runs, merged),
            columns=[*WORKLOAD, "arch", "metric", "merged_ms", "least_ms", "most_ms", "rounds", *SUPPORT],
        ).astype(dict.fromkeys(("merged_ms", *SUPPORT), "float64")),
        promises=pd.DataFrame(
            [
                {**record.key, "round": record.round, **msgspec.to_builtins(check)}
                for record in records
                for promise in record.summary.promises
                for check in one_for_each_fault(promise)
            ],
            columns=[*WORKLOAD, "arch", "round", "promise", "held", "evidence"],
        ),
        faults=pd.DataFrame(
            [
                {**record.key, "round": record.round, **msgspec.structs.asdict(seen)}
                for record in records
                for seen in record.summary.faults
            ],
            columns=[*WORKLOAD, "arch", "round", *FaultSeen.__struct_fields__],
        ),
        stages=pd.DataFrame(
            [row for record in records for row in _stage_rows(record)],
            columns=[*WORKLOAD, "arch", "round", "stage", *STAGE_FIGURES],
        ),
        ratios=pd.DataFrame(
            _ratio_rows(runs), columns=[*WORKLOAD, "metric", "arch", "over", "ratio", "low", "high", "rounds"]
        ),
    )


def _key(summary: Summary, settings: RunSettings) -> dict[str, Any]:
    """The columns KEY of a run: its workload, and its architecture with any variant in brackets."""
    return {
        "scenario": summary.scenario + _unusual(_scenario_variant(settings)),
        "members": summary.members,
        "rooms": summary.rooms,
        "gateways": summary.gateways,
        "rate_per_s": settings.rate_per_s,
        "payload_bytes": settings.payload_bytes,
        "arch": summary.arch + _variant(settings),
    }


def _variant(settings: RunSettings) -> str:
    """The settings of the architecture that differ from the defaults: variants are not rounds of the same thing."""
    return _unusual(
        [
            *([] if settings.partitions is None else [f"{settings.partitions} partitions"]),
            *([] if settings.brokers == 1 else [f"{settings.brokers} brokers"]),
            *([] if settings.tick_s is None else [f"tick {1000 * settings.tick_s:g} ms"]),
            *settings.arch_options,
            *filter(None, [settings.label]),
        ]
    )


def _scenario_variant(settings: RunSettings) -> list[str]:
    sizes = [] if settings.payload_sizes == "fixed" else [f"{settings.payload_sizes} sizes"]
    return [*settings.options, *sizes, *settings.faults]


def _unusual(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _run_row(record: RunRecord) -> dict[str, Any]:
    s = record.summary
    cpu_us_per_delivery = msgspec.structs.asdict(s.cpu_us_per_delivery)
    # If the driver was late, the measured latency is not that of the system, so it is left out.
    valid = s.driver.valid is True
    latencies = {
        "latency": s.latency_ms if valid else LatencyMs(),
        "latency_from_sending": s.latency_from_sending_ms if valid else LatencyMs(),
        "ack": s.ack_ms if valid else LatencyMs(),
        "join": s.join_ms if valid else LatencyMs(),
        "spread": s.spread_ms if valid else SpreadMs(),
        "caught_up": s.resumed.caught_up_ms if valid and s.resumed else LatencyMs(),
    }
    brokers = [] if s.kafka is None else s.kafka.brokers.values()
    row = {
        **record.key,
        "round": record.round,
        "status": s.status,
        "duration_s": s.duration_s,
        **{name: getattr(s, name) for name in COUNTS},
        "scheduled": s.use.scheduled,
        "silenced": s.use.silenced,
        **{name: getattr(s.resumed, name, None) for name in RESUMED},
        "driver_valid": s.driver.valid,
        **{f"{name}_{k}_ms": v for name, each in latencies.items() for k, v in msgspec.structs.asdict(each).items()},
        "independent_messages": s.independent_messages,
        **{f"cpu_{k}_us_per_delivery": v for k, v in cpu_us_per_delivery.items()},
        "cpu_system_us_per_delivery": _of_system(s, cpu_us_per_delivery),
        "cpu_system_ms_per_s": _of_system(s, cpu_ms_per_s(s)),
        **{f"cores_{part}": (s.cores_used or {}).get(part) for part in SERVICES},
        "idle_cpu_ms_per_s": _of_system(s, s.idle_cpu_ms_per_s or {}),
        "idle_compiler_ms_per_s": s.idle_compiler_ms_per_s,
        "compiler_ms_per_s": compiler_ms_per_s(s),
        "idle_slowness_ms": s.idle_slowness_ms,
        "slowness_ms": s.slowness_ms,
        **{f"rss_{part}_bytes": (s.rss_bytes or {}).get(part) for part in SERVICES},
        **{f"heard_{k}": v for k, v in msgspec.structs.asdict(s.heard_share).items()},
        **{f"hot_room_{k}": v for k, v in msgspec.structs.asdict(s.hot_room).items() if valid or k == "delivery_share"},
        **_gateway_columns(s.each_gateway),
        **({f"kafka_{k}": v for k, v in msgspec.structs.asdict(s.kafka).items() if k != "brokers"} if s.kafka else {}),
        "kafka_appends_a_broker_max": max((each.appends_per_message or 0 for each in brokers), default=None),
        "kafka_replicas": record.manifest.architecture.get("kafka_topics", {}).get("replication.factor"),
        **({f"redis_{k}": v for k, v in msgspec.structs.asdict(s.redis).items()} if s.redis else {}),
        **({f"nats_{k}": v for k, v in msgspec.structs.asdict(s.nats).items()} if s.nats else {}),
        "brokers": record.manifest.settings.brokers,
        "partitions": record.manifest.settings.partitions,
        "seed": record.manifest.settings.seed,
        "record": record.folder.name,
    }
    return {**dict.fromkeys(metric.column for metric in METRICS), **row}


def cpu_ms_per_s(summary: Summary) -> dict[str, float]:
    """CPU time of each component while messages were sent, also of a run that delivered none of them."""
    if summary.cores_used is not None:
        return {part: 1_000 * cores for part, cores in summary.cores_used.items()}
    us_per_delivery: dict[str, float | None] = msgspec.structs.asdict(summary.cpu_us_per_delivery)
    rate_per_s = summary.deliveries_per_s or 0.0
    return {part: each * rate_per_s / 1_000 for part, each in us_per_delivery.items() if each is not None}


def compiler_ms_per_s(summary: Summary) -> float | None:
    """Of the CPU time of Kafka, what the compiler of its JVMs used while messages were sent. None: not known."""
    return None if summary.kafka_cpu is None else per(summary.kafka_cpu.compiler_ms, summary.duration_s)


def _of_system(summary: Summary, used: Mapping[str, float | None]) -> float | None:
    """Return the sum over gateways and brokers. None if one is unknown: it was killed, or the run did not start it."""
    brokers = {"kafka": summary.kafka, "redis": summary.redis, "nats": summary.nats}
    parts = [used.get(part) for part in ("gateway", *(name for name, each in brokers.items() if each is not None))]
    known = [each for each in parts if each is not None]
    return sum(known) if len(known) == len(parts) else None


def _gateway_columns(gateways: Sequence[GatewayFigures]) -> dict[str, float | None]:
    """How unevenly the gateways were loaded. A gateway that was killed has no figures."""
    deliveries = [each.deliveries for each in gateways if each.deliveries is not None]
    sent_bytes = [each.bytes_to_members for each in gateways if each.bytes_to_members is not None]
    cores = [each.cores_used for each in gateways if each.cores_used is not None]
    return {
        "hottest_gateway_share": max(deliveries) / sum(deliveries) if sum(deliveries) else None,
        "hottest_gateway_cores": max(cores, default=None),
        "bytes_to_members": sum(sent_bytes) if sent_bytes else None,
    }


def _seconds(record: RunRecord, on_unreadable: OnUnreadable) -> pd.DataFrame:
    """The seconds of the warm-up, then of the measurement. The empty seconds after each phase are left out."""
    seconds = read_seconds(record.folder / "timeseries.csv", on_unreadable)
    seconds = seconds[(seconds["said"] > 0) | (seconds["delivered"] > 0)]
    is_warmup = seconds["phase"] == "warm-up"
    offset_s = int(seconds.loc[is_warmup, "second"].max()) + 1 if is_warmup.any() else 0
    since_load_began = seconds["second"].where(is_warmup, seconds["second"] + offset_s)
    return seconds.assign(**record.key, round=record.round, second_of_load=since_load_began)


def _merged(records: Sequence[RunRecord], name: str, on_unreadable: OnUnreadable) -> Merged:
    """The merged histogram of all rounds, by workload and architecture, if each of the rounds has one."""
    merged: Merged = {}
    incomplete = set()
    for record in records:
        if record.summary.status == "complete" and record.summary.driver.valid is True:
            key, file = tuple(record.key.values()), record.folder / f"{name}.hdr"
            if file.exists() and (latencies := read_histogram(file, on_unreadable)) is not None:
                merged.setdefault(key, Latencies()).add(latencies)
            else:
                incomplete.add(key)
    return {key: latencies for key, latencies in merged.items() if key not in incomplete}


def _stage_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    """The stages in their order; none where the driver was not valid, because it is the first and the last of them.

    A run that was interrupted has none either: the one that repeats it has the same round.
    """
    summary = record.summary
    seen = summary.stages
    if seen is None or summary.status != "complete" or summary.driver.valid is not True:
        return
    for stage, typical_ms in seen.typical_ms.items():
        yield {
            **record.key,
            "round": record.round,
            "stage": stage,
            "typical_ms": typical_ms,
            "slow_ms": (seen.slow_ms or {}).get(stage),
            "p50_ms": seen.p50_ms.get(stage),
            "p99_ms": (seen.p99_ms or {}).get(stage),
            "messages": seen.messages,
            "typical_of_all_ms": seen.typical_of_all_ms,
            "error_ms": seen.error_ms.get(stage, 0.0),
        }


def _latency_rows(merged: Merged) -> Iterator[dict[str, Any]]:
    for key, latencies in merged.items():
        for latency_ms, share in latencies.distribution():
            yield {**dict(zip(KEY, key, strict=True)), "latency_ms": latency_ms, "share_at_most": share}


def _percentile_rows(runs: pd.DataFrame, merged: Mapping[str, Merged]) -> Iterator[dict[str, Any]]:
    """Percentiles over all rounds come from the merged histogram, never from a mean of the rounds' percentiles."""
    complete = runs[runs["status"] == "complete"]
    for key, rounds in complete.groupby(list(KEY), dropna=False, sort=False):
        alike = dict(zip(KEY, key, strict=True))
        whole_of = {name: of.get(_without_nan(alike.values())) for name, of in merged.items()}
        for name, percentile in itertools.product(HISTOGRAMS, PERCENTILES):
            column, whole = f"{name}_{percentile}_ms", whole_of[name]
            if column not in rounds or rounds[column].isna().all():
                continue
            of_rounds = rounds[column].dropna()
            merged_ms: float | None = of_rounds.iloc[0]
            if len(of_rounds) > 1:
                merged_ms = None if whole is None else whole.percentile_ms(PERCENTILES[percentile])
            ends = {"least_ms": of_rounds.min(), "most_ms": of_rounds.max(), "rounds": len(of_rounds)}
            support: dict[str, float] = {}
            if name in OF_MESSAGES and percentile != "max":
                behind = int(messages_behind(rounds)[of_rounds.index].sum())
                support = dict(zip(SUPPORT, (behind, messages_needed(PERCENTILES[percentile])), strict=True))
            yield {**alike, "metric": column, "merged_ms": merged_ms, **ends, **support}


def _without_nan(key: Iterable[Any]) -> tuple[Any, ...]:
    """The key with None for missing values, as in RunRecord.key; pandas turns them into NaN."""
    return tuple(None if pd.isna(value) else value for value in key)


def _ratio_rows(runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    complete = runs[runs["status"] == "complete"]
    for workload, here in complete.groupby(list(WORKLOAD), dropna=False, sort=False):
        for metric in METRICS:
            by_round = here.pivot_table(index="round", columns="arch", values=metric.column, aggfunc="first")
            for arch, over in itertools.permutations(by_round.columns, 2):
                both = by_round[[arch, over]].dropna()
                ratio = ratio_of(both[arch].tolist(), both[over].tolist())
                if ratio is not None:
                    yield {
                        **dict(zip(WORKLOAD, workload, strict=True)),
                        "metric": metric.column,
                        "arch": arch,
                        "over": over,
                        "ratio": ratio.value,
                        "low": ratio.low,
                        "high": ratio.high,
                        "rounds": ratio.rounds,
                    }
