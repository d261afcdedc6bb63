"""The record of a run: a folder that is readable whenever the run ends, killed or not."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import msgspec
import psutil

from architectures.clients.kafka import ack_settings, acks_of, replication
from architectures.interface import Candidate, Topology
from harness.core import library_logs
from harness.core.hosts import method_of
from harness.core.settings import RunSettings, topology
from harness.ipc.messages import Second
from harness.runs.summary import Summary
from harness.services.kafka.jars import KAFKA_VERSION
from peers.interface import Peer

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
# Each is written as NAME.hdr, so that rounds can be merged: percentiles are never averaged.
HISTOGRAMS = ("latency", "ack", "join", "spread", "caught_up")
RESERVE_BYTES = 32 * 1024  # kept for the last summary


class Record:
    """The folder of one run."""

    def __init__(self, out: Path, settings: RunSettings, scenario: str, architecture: type[Candidate]) -> None:
        """Make the folder, with a manifest and a summary that says `incomplete` until finish() replaces it."""
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
        self._write("manifest.json", msgspec.json.format(msgspec.json.encode(_manifest(settings, architecture))))
        self.timeseries = self.folder / "timeseries.csv"
        with self.timeseries.open("w", newline="") as out_file:
            csv.writer(out_file).writerow(TIMESERIES_COLUMNS)

    def note_cluster(self, settings: dict[str, str]) -> None:
        """In the manifest: what somebody else has set of the brokers."""
        manifest = msgspec.json.decode((self.folder / "manifest.json").read_bytes())
        self._write("manifest.json", msgspec.json.format(msgspec.json.encode({**manifest, "cluster": settings})))

    def add_second(self, second: Second) -> None:
        with self.timeseries.open("a", newline="") as out_file:
            csv.writer(out_file).writerow([getattr(second, column) for column in TIMESERIES_COLUMNS])

    def write_summary(self, summary: Summary) -> None:
        self._write("summary.json", msgspec.json.format(msgspec.json.encode(summary)) + b"\n")

    def write_text(self, name: str, text: str) -> None:
        self._write(name, text.encode())

    def _write(self, name: str, content: bytes) -> None:
        """Replace the file in one step: whoever reads it, at whatever moment, finds the old or the new one."""
        partial = self.folder / f".{name}.partial"
        try:
            partial.write_bytes(content)
        except OSError:
            if not self._reserve.exists():
                raise
            self._reserve.unlink()  # on a full disk: room enough to say that it is
            partial.write_bytes(content)
        partial.replace(self.folder / name)

    def close(self) -> None:
        """Nothing more will be written."""
        self._reserve.unlink(missing_ok=True)


def read_summary(folder: Path) -> Summary:
    """The summary of a record; raises OSError or msgspec.ValidationError if it is none."""
    return msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What reports need of manifest.json; it holds more."""

    settings: RunSettings
    architecture: dict[str, Any] = {}  # what it is, its options, and what its topics and producers are set to
    cluster: dict[str, str] = {}  # settings of brokers that are somebody else's
    command: tuple[str, ...] = ()
    host: dict[str, Any] = {}
    versions: dict[str, str] = {}
    commit: str | None = None
    started_utc: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what it is not, where the types above leave that open."""
        if not isinstance(self.architecture.get("kafka_topics", {}), dict):
            raise ValueError("architecture.kafka_topics must be an object")
        if not isinstance(self.host.get("memory_bytes", 0), int):
            raise ValueError("host.memory_bytes must be a number")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a record; raises OSError or msgspec.ValidationError if it is none."""
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    return msgspec.convert(_of_this_version(manifest), Manifest)


def _of_this_version(manifest: Any) -> Any:
    """`dedup` was a setting of its own in records of 0.1.0; it is an option of the architecture."""
    settings = manifest.get("settings") if isinstance(manifest, dict) else None
    if not isinstance(settings, dict) or settings.pop("dedup", False) is not True:
        return manifest
    return {**manifest, "settings": {**settings, "arch_options": ["dedup=1", *settings.get("arch_options", [])]}}


def record_folders(folder: Path) -> list[Path]:
    """Every record in the folder, however deep, in the order they were made; the folder itself if it is one."""
    return sorted(summary.parent for summary in folder.rglob("summary.json"))


def new_folder(out: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(1, 1000):
        folder = out / (f"{stamp}-{name}" if attempt == 1 else f"{stamp}-{name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{out / stamp}-{name} and 999 more exist")


def _manifest(settings: RunSettings, architecture: type[Candidate]) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "chatbench": version("chatbench"),
        "commit": _commit(),
        "command": ["chatbench", *sys.argv[1:]],
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": msgspec.to_builtins(settings),
        "architecture": _describe(architecture, topology(settings, architecture)),
        "host": {
            "system": platform.platform(),
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_bytes": memory.total,
        },
        "versions": {"python": platform.python_version(), **_versions(settings, architecture)},
        "method": {
            **method_of(settings),
            "warmup": f"the first {settings.warmup_s:g} s of load are discarded, in a statistics object of their own",
        },
    }


def _describe(architecture: type[Candidate], shape: Topology) -> dict[str, Any]:
    """What it is, its options as they were, defaults too; and what its acks mean, if they are Kafka's."""
    described: dict[str, Any] = {"summary": architecture.summary, "options": dict(shape.options)}
    if architecture.requires.kafka and "acks" in shape.options:
        replicas, in_sync_min = replication(shape)
        described["kafka_producer"] = ack_settings(acks_of(shape))
        described["kafka_topics"] = {"replication.factor": replicas, "min.insync.replicas": in_sync_min}
    return described


def _versions(settings: RunSettings, candidate: type[Candidate]) -> dict[str, str]:
    """Of what is installed here; that of somebody else's brokers is not known."""
    brokers = {} if settings.kafka_bootstrap or settings.gateways_at else {"kafka": KAFKA_VERSION}
    needed = [name.split(">")[0] for name in distribution("chatbench").requires or [] if "extra ==" not in name]
    own = brokers | {name: found for name in needed if (found := _version(name)) is not None}
    return {**own, **candidate.versions()} if issubclass(candidate, Peer) else own


def _version(package: str) -> str | None:
    """None for what is left out where brokers are never started, as in the container image."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    """The commit of the checkout chatbench runs from, with `-dirty` if it was changed; None outside one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607 - git of the PATH
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
