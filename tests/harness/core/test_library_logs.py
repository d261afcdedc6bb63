from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core import library_logs

SPEAK = """
import logging, sys, warnings
from pathlib import Path
from confluent_kafka import Producer
from harness.core import library_logs
library_logs.keep_off_the_terminal()
logging.getLogger("early").warning("bird")
warnings.warn("mind the gap")
library_logs.write_to(Path(sys.argv[1]))
producer = Producer({"bootstrap.servers": "127.0.0.1:1", "logger": logging.getLogger("librdkafka")})
producer.produce("t", b"")
producer.flush(2)
producer.purge()
producer.flush(2)
logging.getLogger("late").error("worm %s", "é")
logging.getLogger("chatty").info("nothing")
"""


def speak(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SPEAK, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_what_libraries_say_is_in_the_logs_and_not_on_the_terminal(tmp_path: Path) -> None:
    said = speak(tmp_path)
    assert (said.stdout, said.stderr) == ("", "")
    log = (tmp_path / library_logs.FILE).read_text(encoding="utf-8")
    assert "WARNING early: bird" in log
    assert "mind the gap" in log
    assert "librdkafka: FAIL" in log
    assert "ERROR late: worm é" in log
    assert "nothing" not in log


def test_a_folder_that_is_gone_is_no_reason_to_speak(tmp_path: Path) -> None:
    said = speak(tmp_path / "gone")
    assert (said.stdout, said.stderr) == ("", "")


def test_lines_wait_for_a_run_and_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = library_logs._LibraryLogs()
    monkeypatch.setattr(library_logs, "_logs", logs)
    logs.handle(logging.makeLogRecord({"name": "redis", "levelname": "WARNING", "msg": "slow"}))
    assert ["WARNING redis: slow" in line for line in library_logs.waiting()] == [True]
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        library_logs.write_to(tmp_path / name)
    assert "slow" in (tmp_path / "first" / library_logs.FILE).read_text(encoding="utf-8")
    assert not (tmp_path / "second" / library_logs.FILE).exists()
    assert library_logs.waiting() == []
