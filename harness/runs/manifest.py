"""manifest.json: what ran, where and how, so that a run can be repeated."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import msgspec
import psutil

from architectures.clients.kafka_settings import ack_settings, acks_of, replication
from architectures.interface import Candidate, Topology
from harness.core.hosts import method_of
from harness.core.settings import RunSettings, topology
from harness.services.kafka.jars import KAFKA_VERSION
from peers.interface import Peer


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The part of manifest.json that reports use; the file holds more."""

    settings: RunSettings
    architecture: dict[str, Any] = {}  # its summary, its options, and the settings of its topics and producers
    cluster: dict[str, str] = {}  # settings of external brokers
    command: tuple[str, ...] = ()
    host: dict[str, Any] = {}
    chatbench: str = ""  # its version
    versions: dict[str, str] = {}
    commit: str | None = None
    started_utc: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for values that the types above allow and a manifest does not."""
        if not isinstance(self.architecture.get("kafka_topics", {}), dict):
            raise ValueError("architecture.kafka_topics must be an object")
        if not isinstance(self.host.get("memory_bytes", 0), int):
            raise ValueError("host.memory_bytes must be a number")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a record. Raises OSError or msgspec.ValidationError if the file is missing or not a manifest."""
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    return msgspec.convert(_of_this_version(manifest), Manifest)


def _of_this_version(manifest: Any) -> Any:
    """The manifest in this version's form: in records of 0.1.0, `dedup` was a setting of the run."""
    settings = manifest.get("settings") if isinstance(manifest, dict) else None
    if not isinstance(settings, dict) or settings.pop("dedup", False) is not True:
        return manifest
    return {**manifest, "settings": {**settings, "arch_options": ["dedup=1", *settings.get("arch_options", [])]}}


def manifest_of(settings: RunSettings, architecture: type[Candidate]) -> dict[str, Any]:
    """All keys of manifest.json, but for those that are added when the run has begun."""
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
    """The architecture's summary, all its options including defaults, and what its acks mean if Kafka gives them."""
    described: dict[str, Any] = {"summary": architecture.summary, "options": dict(shape.options)}
    if architecture.requires.kafka and "acks" in shape.options:
        replicas, in_sync_min = replication(shape)
        described["kafka_producer"] = ack_settings(acks_of(shape))
        described["kafka_topics"] = {"replication.factor": replicas, "min.insync.replicas": in_sync_min}
    return described


def _versions(settings: RunSettings, candidate: type[Candidate]) -> dict[str, str]:
    """Versions of the installed packages, and of Kafka if the run starts it: that of external brokers is not known."""
    brokers = {} if settings.kafka_bootstrap or settings.gateways_at else {"kafka": KAFKA_VERSION}
    needed = [name.split(">")[0] for name in distribution("chatbench").requires or [] if "extra ==" not in name]
    own = brokers | {name: found for name in needed if (found := _version(name)) is not None}
    return {**own, **candidate.versions()} if issubclass(candidate, Peer) else own


@cache
def _version(package: str) -> str | None:
    """A package's version; None if it is not installed: the container image lacks those that only start brokers."""
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
    """The commit of the checkout that chatbench runs from, `-dirty` after local changes; None outside a checkout."""
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
