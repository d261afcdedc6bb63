from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.core.addresses import NATS_PASSWORD, NATS_TOKEN, REDIS_PASSWORD, SENTINEL_PASSWORD
from harness.core.errors import ServiceFailed
from harness.core.token import TOKEN_VARIABLE
from harness.services import fleet
from harness.services.kafka import broker
from harness.services.nats import server as nats
from harness.services.processes import REASONS_OF_ALL, Reasons, reason_in, spawn, wait_until_listening
from harness.services.redis import server as redis

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    # The child ignores SIGTERM and has a session of its own: only the kernel can have ended it.
    program = f"""
import signal, sys, time
from pathlib import Path
from harness.services.processes import spawn
argv = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]
print(spawn("child", argv, Path({str(tmp_path / "log")!r})).pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
    child.wait(10)


def test_a_child_that_ended_is_an_error_with_its_last_words_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn("the thing", [sys.executable, "-c", "raise SystemExit('it hurts')"], log)
    child.process.wait(20)
    with pytest.raises(ServiceFailed) as failed:
        child.check()
    assert str(failed.value) == f"the thing ended with exit code 1: it hurts; its log is {log}"


def test_a_child_that_was_killed_says_by_what(tmp_path: Path) -> None:
    child = spawn("the thing", SLEEPER, tmp_path / "log")
    os.kill(child.pid, signal.SIGKILL)
    child.process.wait(20)
    with pytest.raises(ServiceFailed, match="the thing was killed by SIGKILL"):
        child.check()


def test_a_child_is_given_its_own_secrets_and_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    otlp = [f"OTEL_EXPORTER_OTLP_{each}" for each in ("HEADERS", "TRACES_HEADERS", "ENDPOINT", "METRICS_ENDPOINT")]
    for name in (TOKEN_VARIABLE, REDIS_PASSWORD, SENTINEL_PASSWORD, NATS_PASSWORD, NATS_TOKEN, *otlp):
        monkeypatch.setenv(name, "a secret")
    code = "import os; print(sorted(name for name, value in os.environ.items() if value == 'a secret'))"
    for secrets in ([], [TOKEN_VARIABLE], [NATS_TOKEN, REDIS_PASSWORD]):
        log = tmp_path / "-".join(["log", *secrets])
        spawn("curious", [sys.executable, "-c", code], log, secrets=secrets).process.wait(20)
        assert log.read_text() == f"{sorted(secrets)}\n"


def test_stop_ends_even_a_child_that_ignores_being_asked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    child = spawn("stubborn", [sys.executable, "-c", code], log)
    while "up" not in log.read_text():
        time.sleep(0.01)
    child.stop(grace_s=0.2)
    assert child.process.poll() == -signal.SIGKILL


def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="the thing could not be started"):
        spawn("the thing", ["/nonexistent/program"], tmp_path / "log")


def test_standard_input_reaches_the_child(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn("echo", [sys.executable, "-c", "print(input())"], log, stdin=b"hello\n")
    assert child.process.wait(20) == 0
    assert log.read_text() == "hello\n"


def test_neither_a_child_nor_its_children_import_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lying_here.py").write_text("print('imported')")
    ask = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'lying_here'])"
    for code in ("import lying_here", ask):
        log = tmp_path / "log"
        spawn("curious", [sys.executable, "-c", code], log).process.wait(20)
        assert "No module named" in log.read_text()
        assert "imported" not in log.read_text()


@pytest.mark.parametrize("reasons", [(), broker.REASONS, redis.REASONS, nats.REASONS, fleet.REASONS])
def test_a_known_cause_is_told_in_plain_words(tmp_path: Path, reasons: Reasons) -> None:
    log = tmp_path / "log"
    for mark, meaning in (*reasons, *REASONS_OF_ALL):
        log.write_text(f"INFO fine\nERROR java.io.IOException: {mark} (somewhere)\n\tat deep.in.Java\nbye\n")
        assert reason_in(log, reasons) == meaning


def test_no_program_is_given_the_reasons_of_another(tmp_path: Path) -> None:
    (tmp_path / "gateway.log").write_text("OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n")
    program = "import sys; sys.exit(open(sys.argv[1]).read())"
    argv = [sys.executable, "-c", program, str(tmp_path / "gateway.log")]
    gateway = spawn("gateway 0", argv, tmp_path / "log", reasons=fleet.REASONS)
    assert gateway.process.wait(20) == 1
    assert gateway.ending() == (
        "gateway 0 ended with exit code 1: Redis is full; free some of its memory, or raise its maxmemory"
    )
    other = spawn("the driver", argv, tmp_path / "log-2")
    assert other.process.wait(20) == 1
    assert "JVM" not in str(other.ending())


def test_an_unknown_cause_is_the_last_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n\n")
    assert reason_in(log) == "two"
    log.write_text("")
    assert reason_in(log) == "it said nothing"
    assert reason_in(tmp_path / "none").startswith("no log")


def test_a_child_that_never_listens_is_given_up(tmp_path: Path) -> None:
    child = spawn("mute", SLEEPER, tmp_path / "log")
    try:
        with pytest.raises(ServiceFailed, match="mute did not accept connections on port 1 within"):
            wait_until_listening(child, port=1, timeout_s=0.3)
    finally:
        child.kill()
