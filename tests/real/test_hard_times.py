"""Failures around the harness itself: a full disk, a broker that never gets ready, a second run at the same time."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.core.errors import ServiceFailed
from harness.services.kafka import cluster as kafka
from harness.services.kafka.install import ensure_installation
from harness.services.ports import free_ports
from tests.real.runs import CHATBENCH, PATIENCE_S

SMALL_LOAD = ["--members", "10", "--warmup", "1s"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """200 KiB; a run needs more."""
    disk = tmp_path / "tiny"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("to make a small disk needs the right to mount one")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_ends_the_run_in_one_sentence_with_a_readable_record(tiny_disk: Path) -> None:
    (tiny_disk / "other things").write_bytes(bytes(120_000))
    answer = subprocess.run(
        [*CHATBENCH, "run", "--arch", "direct", *SMALL_LOAD, "--duration", "5s", "--out", str(tiny_disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 3
    assert "Traceback" not in answer.stderr
    assert "No space left on device" in answer.stderr
    (folder,) = tiny_disk.glob("2*")
    msgspec.json.decode((folder / "manifest.json").read_bytes())
    summary = msgspec.json.decode((folder / "summary.json").read_bytes())
    assert summary["status"] in {"failed", "incomplete", "complete"}


def test_a_broker_that_never_gets_ready_is_given_up_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "START_TIMEOUT_S", 3.0)
    broker = kafka.Kafka.make(ensure_installation(lambda _what, _done, _total: None), 1, tmp_path, tmp_path)
    try:
        broker.start()
        broker.children[0].pause()  # a real broker, which stands still before it serves
        with pytest.raises(ServiceFailed, match=r"did not accept connections .* within 3 s.*; its log is"):
            broker.wait_ready()
    finally:
        broker.stop()
    assert not psutil.pid_exists(broker.children[0].pid)


def test_two_runs_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    command = [
        *CHATBENCH,
        "run",
        "--arch",
        "kafka-redis",
        *SMALL_LOAD,
        "--duration",
        "4s",
        "--json",
        "--out",
        str(tmp_path),
    ]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [run.communicate(timeout=PATIENCE_S) for run in runs]
    for run, (stdout, stderr) in zip(runs, answers, strict=True):
        assert run.returncode in (0, 4), stderr
        summary = msgspec.json.decode(stdout)
        assert (summary["status"], summary["lost"], summary["duplicated"], summary["strays"]) == ("complete", 0, 0, 0)
        assert summary["kafka"]["records_per_message"] == 1, "only its own messages are in its topics"
    assert len(list(tmp_path.glob("*/summary.json"))) == 2


def test_ports_that_one_run_has_chosen_no_other_chooses() -> None:
    ask = "from harness.services.ports import free_ports; print(*free_ports(100)); input()"
    others = [
        subprocess.Popen([CHATBENCH[0], "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    chosen = [set(map(int, other.stdout.readline().split())) for other in others if other.stdout is not None]
    chosen.append(set(free_ports(100)))
    for other in others:
        other.communicate("\n", timeout=30)
    assert len(set.union(*chosen)) == 400, "nobody listens on any of them yet"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_killed_while_a_part_stands_still_it_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    asked = ["--arch", "redis", *SMALL_LOAD, "--duration", "60s", "--fault", "pause:gateway:30s@1s"]
    with subprocess.Popen([*CHATBENCH, "run", *asked, "--out", str(tmp_path)], stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + PATIENCE_S
        while not any(_stands_still(child) for child in psutil.Process(run.pid).children(recursive=True)):
            assert time.monotonic() < deadline, "nothing was paused"
            time.sleep(0.02)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        run.wait(PATIENCE_S)
    _gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    (folder,) = tmp_path.iterdir()
    summary = msgspec.json.decode((folder / "summary.json").read_bytes())
    assert summary["status"] == ("incomplete" if number is signal.SIGKILL else "interrupted")


def _stands_still(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
