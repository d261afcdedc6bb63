"""However a run ends, no process remains and the record can be read."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.real.runs import CHATBENCH, PATIENCE_S, SHORT, chatbench


def start(out: Path, arch: str) -> subprocess.Popen[str]:
    load = ["--members", "50", "--duration", "60s", "--warmup", "1s"]
    return subprocess.Popen(
        [*CHATBENCH, "run", "--arch", arch, *load, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(what: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert run.poll() is None, f"the run ended early: {run.communicate()}"
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.02)


def record_in(out: Path) -> Path:
    (folder,) = out.iterdir()
    return folder


def descendants(run: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(run.pid).children(recursive=True)


def assert_all_gone(processes: list[psutil.Process]) -> None:
    _gone, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def measuring(out: Path) -> bool:
    series = list(out.glob("*/timeseries.csv"))
    return bool(series) and series[0].read_text().count("measure") >= 2


# A Redis starts in a moment and a Kafka in seconds, so only the moments that are about Kafka start one.
ARCH = {"services starting": "plan1"}
MOMENTS: dict[str, Callable[[Path, subprocess.Popen[str]], bool]] = {
    "just started": lambda out, _run: out.exists() and any(out.glob("*/summary.json")),
    "services starting": lambda _out, run: any(b"kafka" in _line(child) for child in descendants(run)),
    "gateways up": lambda _out, run: any(b"harness.gateway" in _line(child) for child in descendants(run)),
    "measuring": lambda out, _run: measuring(out),
}


def _line(process: psutil.Process) -> bytes:
    try:
        return " ".join(process.cmdline()).encode()
    except psutil.Error:  # it ended meanwhile, or is between fork and exec
        return b""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_leaves_no_process_and_a_readable_record(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    out = tmp_path / "out"
    with start(out, ARCH.get(moment, "redis")) as run:
        wait_for(lambda: MOMENTS[moment](out, run), run)
        children = descendants(run)
        run.send_signal(number)
        run.wait(PATIENCE_S)
        stdout, stderr = run.communicate()
    assert_all_gone(children)
    assert stdout == ""
    assert "Traceback" not in stderr
    summary = msgspec.json.decode((record_in(out) / "summary.json").read_bytes())
    msgspec.json.decode((record_in(out) / "manifest.json").read_bytes())
    if number is signal.SIGKILL:
        assert summary["status"] == "incomplete"
        return
    assert run.returncode == 130
    assert summary["status"] == "interrupted"
    if moment == "measuring":
        assert summary["delivered"] > 0
        assert summary["lost"] == 0
        assert (record_in(out) / "latency.hgrm").exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_no_temporary_folder_outlives_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup; what is started here would ignore it, too
        signal.signal(number, signal.SIG_DFL)
    out = tmp_path / "out"
    with start(out, "redis") as run:
        wait_for(lambda: measuring(out), run)
        children = descendants(run)
        (folder,) = tmp_path.glob("chatbench-*")
        run.send_signal(number)
        run.communicate(timeout=PATIENCE_S)
    assert_all_gone(children)
    assert folder.exists() == (number is signal.SIGKILL)
    answer = chatbench("run", "--arch", "direct", *SHORT, "--members", "4", "--out", str(out))
    assert answer.returncode in (0, 4), answer.stderr
    assert list(tmp_path.glob("chatbench-*")) == []


def kill_one(run: subprocess.Popen[str], mark: bytes) -> None:
    victim = next(child for child in descendants(run) if mark in _line(child))
    os.kill(victim.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("arch", "mark", "says"),
    [
        ("redis", b"-server 127.0.0.1", "redis was killed by SIGKILL"),
        ("plan1", b"kafka.Kafka", "kafka broker 1 was killed by SIGKILL"),
        ("redis", b"harness.gateway", "gateway 0 was killed by SIGKILL"),
        ("redis", b"harness.load.driver", "the driver ended"),
        ("redis", b"harness.audience.engine", "the audience process ended"),
    ],
)
def test_a_part_that_dies_fails_the_run_in_one_sentence(tmp_path: Path, arch: str, mark: bytes, says: str) -> None:
    out = tmp_path / "out"
    with start(out, arch) as run:
        wait_for(lambda: measuring(out), run)
        children = descendants(run)
        kill_one(run, mark)
        run.wait(PATIENCE_S)
        stdout, stderr = run.communicate()
    assert_all_gone(children)
    assert run.returncode == 3
    assert stdout == ""
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("chatbench: ")
    assert says in last
    assert str(record_in(out) / "logs") in last
    summary = msgspec.json.decode((record_in(out) / "summary.json").read_bytes())
    assert summary["status"] == "failed"
    assert says in summary["why"]
