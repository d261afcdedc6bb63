"""The record of a run: a folder that is readable whenever the run ends, even if it is killed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from architectures.interface import Candidate
from harness.core import library_logs
from harness.core.settings import RunSettings
from harness.ipc.messages import Second
from harness.measure.cpu_series import CpuOfSecond
from harness.runs.manifest import manifest_of
from harness.runs.summary import Summary

TIMESERIES_COLUMNS = (
    "phase",
    "second",
    "said",
    "acked",
    "delivered",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "latency_max_ms",
)
# Records of 0.1.0 do not have these columns.
CPU_COLUMNS = (*CpuOfSecond.__struct_fields__, "driver_cpu_ms")
# Each of these is written as NAME.hdr, so that rounds can be merged: percentiles are never averaged.
HISTOGRAMS = ("latency", "latency_from_sending", "ack", "join", "spread", "caught_up")
RESERVE_BYTES = 32 * 1024  # of disk space, kept for the last summary


class Record:
    """The folder of one run."""

    def __init__(self, out: Path, settings: RunSettings, scenario: str, architecture: type[Candidate]) -> None:
        """Make the folder, with its manifest and a time series without rows."""
        self.settings = settings
        self.scenario = scenario
        self.folder = new_folder(out, f"{settings.arch}-{scenario}")
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        library_logs.write_to(self.logs)
        self._reserve = self.folder / ".reserve"
        self._reserve.write_bytes(bytes(RESERVE_BYTES))
        self.charts = self.folder / "charts"
        self.charts.mkdir()
        self.write_bytes("manifest.json", msgspec.json.format(msgspec.json.encode(manifest_of(settings, architecture))))
        self.timeseries = self.folder / "timeseries.csv"
        with self.timeseries.open("w", newline="") as out_file:
            csv.writer(out_file).writerow((*TIMESERIES_COLUMNS, *CPU_COLUMNS))

    def note_cluster(self, settings: Mapping[str, str]) -> None:
        """Add the settings of external brokers to the manifest."""
        manifest = msgspec.json.decode((self.folder / "manifest.json").read_bytes())
        self.write_bytes(
            "manifest.json", msgspec.json.format(msgspec.json.encode({**manifest, "cluster": dict(settings)}))
        )

    def add_second(self, second: Second, cpu: CpuOfSecond) -> None:
        row = msgspec.structs.asdict(second) | msgspec.structs.asdict(cpu)
        with self.timeseries.open("a", newline="") as out_file:
            csv.writer(out_file).writerow([row[column] for column in (*TIMESERIES_COLUMNS, *CPU_COLUMNS)])

    def write_summary(self, summary: Summary) -> None:
        self.write_bytes("summary.json", msgspec.json.format(msgspec.json.encode(summary)) + b"\n")

    def write_text(self, name: str, text: str) -> None:
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Replace the file in one step, so that a reader always finds either the old content or the new."""
        partial = self.folder / f".{name}.partial"
        try:
            partial.write_bytes(content)
        except OSError:
            if not self._reserve.exists():
                raise
            self._reserve.unlink()  # on a full disk this frees enough to write why the run failed
            partial.write_bytes(content)
        partial.replace(self.folder / name)

    def close(self) -> None:
        """Remove the reserve: nothing more is written after this."""
        self._reserve.unlink(missing_ok=True)


def read_summary(folder: Path) -> Summary:
    """The summary of a record. Raises OSError or msgspec.ValidationError if the file is missing or not a summary."""
    return msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary)


def record_folders(folder: Path) -> list[Path]:
    """Every record in the folder and below it, oldest first, including the folder itself if it is a record."""
    return sorted(summary.parent for summary in folder.rglob("summary.json"))


def new_folder(out: Path, name: str) -> Path:
    """Make a folder in `out`, named after the time in UTC and this name. Raises FileExistsError, or another OSError."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(1, 1000):
        folder = out / (f"{stamp}-{name}" if attempt == 1 else f"{stamp}-{name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{out / stamp}-{name} and 999 more exist")
