"""What is prepared when Kafka starts for the first time, and what that saves later."""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from types import SimpleNamespace

import pytest

from architectures.interface import Requirements
from harness.core.errors import ServiceFailed
from harness.services.backends import Backends
from harness.services.kafka import install as installation
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import CLASSES, TRIED, ensure_installation
from harness.services.kafka.jars import Jars, cache_dir
from tests.real.runs import PATIENCE_S


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the jars that are there already, and nothing prepared."""
    ensure_installation(lambda _what, _done, _total: None)
    jars = cache_dir()
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path))
    shutil.copytree(jars, cache_dir(), ignore=shutil.ignore_patterns(".*"))
    return tmp_path


class Begun(Exception):
    """Raised instead of preparing anything, which takes long."""


def _end_it(what: str, _done: int, _total: int) -> None:
    raise Begun(what)


def start_and_stop(kafka: Kafka) -> None:
    kafka.start()
    try:
        kafka.wait_ready()
    finally:
        kafka.stop()


def test_it_is_done_once_for_the_same_jars_and_the_jvm_takes_it(own_cache: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = ensure_installation(lambda what, done, _total: told.append(f"{what} {done}"))
    assert told == ["rehearsal of Kafka's start 0", "rehearsal of Kafka's start 1"]
    assert ensure_installation(lambda *_news: pytest.fail("done already")) == first
    assert [each.name for each in own_cache.glob("prepared/.*")] == []

    told_by_jvm = tmp_path / "jvm.log"
    # With this mode the JVM refuses to start with what is of no use.
    installed = dataclasses.replace(first, jvm=(*first.jvm, "-XX:AOTMode=on", f"-Xlog:aot:file={told_by_jvm}"))
    start_and_stop(Kafka.make(installed, 1, tmp_path, tmp_path))
    assert "Using AOT-linked classes: true" in told_by_jvm.read_text()

    next(own_cache.rglob("kafka-clients-*.jar")).touch()
    with pytest.raises(Begun, match="rehearsal of Kafka's start"):
        ensure_installation(_end_it)


def test_of_two_that_come_at_once_one_prepares_it_for_both(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed: list[Path] = []
    prepare, both_have_come, both_lock = installation._prepare, Barrier(2), Event()
    locks = itertools.count(1)

    def prepare_together(jars: Jars, folder: Path) -> None:
        both_have_come.wait(PATIENCE_S)  # each has seen that nothing is prepared
        prepare(jars, folder)

    def flock(file: int, operation: int) -> None:
        if next(locks) == 2:
            both_lock.set()
        fcntl.flock(file, operation)

    def rehearse(_jars: Jars, folder: Path) -> None:
        rehearsed.append(folder)
        assert both_lock.wait(PATIENCE_S)
        time.sleep(0.05)  # if the lock did not hold, the other one would come in here
        folder.mkdir()
        (folder / TRIED).touch()

    monkeypatch.setattr(installation, "_prepare", prepare_together)
    monkeypatch.setattr(installation, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX))
    monkeypatch.setattr(installation, "rehearse", rehearse)
    with ThreadPoolExecutor() as both:
        first, second = both.map(ensure_installation, [lambda *_: None] * 2)
    assert first == second
    assert len(rehearsed) == 1


def test_a_broker_starts_silently_with_classes_that_are_of_no_use(tmp_path: Path) -> None:
    usual = ensure_installation(lambda _what, _done, _total: None)
    broken = tmp_path / "broken.aot"
    broken.write_bytes(b"no classes" * 1_000)
    flags = tuple(flag.replace(str(usual.formatted.parent / CLASSES), str(broken)) for flag in usual.jvm)
    assert f"-XX:AOTCache={broken}" in flags
    kafka = Kafka.make(dataclasses.replace(usual, jvm=flags), 1, tmp_path, tmp_path)
    start_and_stop(kafka)
    assert "aot" not in kafka.brokers[0].log.read_text().lower()


def test_a_first_start_that_fails_is_one_sentence_and_leaves_nothing(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "FORMATTER", "kafka.tools.NoSuchTool")
    with pytest.raises(ServiceFailed, match=r"kafka's formatter ended with exit code 1: .*; its log is") as failed:
        ensure_installation(lambda _what, _done, _total: None)
    assert "\n" not in str(failed.value)
    assert [each.name for each in own_cache.glob("prepared/*")] == ["rehearsal.log"]


def test_folders_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the cache all but what Java takes for the end of a path."""
    name = "é, 한 \\ 'x' #1 [v1]; $5$ & a:b=c"
    ensure_installation(lambda _what, _done, _total: None)
    jars = cache_dir()
    monkeypatch.setenv("LC_ALL", "C")
    cache = tmp_path / "cache" / name.replace(":", "").replace("=", "")
    shutil.copytree(jars, cache / "jars", ignore=shutil.ignore_patterns(".*"))
    monkeypatch.setenv("CHATBENCH_CACHE", str(cache))
    (tmp_path / "tmp" / name).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp" / name))
    backends = Backends(Requirements(kafka=True, redis=True), 1, tmp_path)
    try:
        backends.begin(lambda _what, _done, _total: None)
        backends.finish()
        (backend,) = backends.of(Requirements(kafka=True))
        kafka = backend.servers
        assert isinstance(kafka, Kafka)
        assert kafka.counters("nobody's").total.records == 0
        assert [each.name for each in kafka.brokers[0].log_dir.glob("meta.properties")]
    finally:
        backends.stop()
    assert list((tmp_path / "tmp" / name).iterdir()) == []


@pytest.mark.parametrize("mark", [":", "="])
def test_a_cache_that_java_could_not_find_is_told(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path / f"a{mark}b"))
    with pytest.raises(ServiceFailed, match="set CHATBENCH_CACHE to another folder"):
        ensure_installation(lambda _what, _done, _total: None)
