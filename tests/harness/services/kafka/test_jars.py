from pathlib import Path

import pytest

from harness.core.errors import ServiceFailed, UsageError
from harness.services.kafka import jars


def ignore(_done: int, _total: int) -> None:
    pass


def test_the_lock_pins_kafka_and_every_jar_by_hash() -> None:
    locked = jars.locked_jars()
    assert any(jar.artifact == "kafka_2.13" and jar.version == jars.KAFKA_VERSION for jar in locked)
    assert any(jar.artifact == jars.AGENT for jar in locked)
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert "://" not in jars.LOCK.read_text(encoding="utf-8")


def test_a_missing_cache_without_network_is_one_sentence_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens there
    with pytest.raises(ServiceFailed) as failed:
        jars.ensure_jars(ignore)
    assert "is not in the cache" in str(failed.value)
    assert "no connection to the repository" in str(failed.value)
    assert "once with network" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert not list(tmp_path.rglob("*.jar"))


def test_a_cache_that_cannot_be_written_is_no_matter_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"cannot be kept in .*Not a directory.*a folder you may write to"):
        jars.ensure_jars(ignore)


def test_a_jar_that_is_not_the_locked_one_is_removed_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path))
    for jar in jars.locked_jars():
        jar.path.parent.mkdir(parents=True)
        jar.path.write_bytes(b"not a jar")
    with pytest.raises(ServiceFailed, match="not the one that was locked"):
        jars.ensure_jars(ignore)
    assert len(jars.missing_jars()) == 1
