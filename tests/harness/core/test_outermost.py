"""Unexpected errors: one sentence, a log, and exit code 70."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import ChildBroke, ExitCode, ServiceFailed
from harness.services.processes import spawn

# The fault is put into a real process, where a command meets it as it would meet one of chatbench's own.
FAULTY_DOCTOR = """
import sys
import harness.cli.machine_check
from harness.cli.main import main

def examine():
    raise KeyError("redis://:hunter2@h")

harness.cli.machine_check.examine = examine
main()
"""
CHILD = "from harness.core.outermost import run_child\ndef main():\n    {}\nrun_child(main)\n"


def doctor(*options: str, tmpdir: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", FAULTY_DOCTOR, *options, "doctor"]
    environment = {"TMPDIR": str(tmpdir)}
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def test_what_nobody_expected_is_one_sentence_with_a_log_to_report(tmp_path: Path) -> None:
    answer = doctor(tmpdir=tmp_path)
    assert answer.returncode == 70
    (sentence,) = answer.stderr.splitlines()
    assert "KeyError" in sentence
    assert "please report it" in sentence
    log = Path(re.search(r"its log is (\S+);", sentence)[1])  # type: ignore[index]  # a TypeError fails the test as well
    told = log.read_text()
    assert "Traceback" in told
    assert "chatbench 0" in told
    assert "hunter2" not in told + answer.stderr


def test_debug_shows_the_traceback_as_well(tmp_path: Path) -> None:
    answer = doctor("--debug", tmpdir=tmp_path)
    assert answer.returncode == ExitCode.UNEXPECTED
    assert "Traceback" in answer.stderr
    assert "please report it" in answer.stderr.splitlines()[-1]


def test_without_a_place_for_a_log_it_is_said_how_to_see_the_traceback() -> None:
    program = (
        "import tempfile\nfrom harness.core.outermost import unexpected\n"
        "tempfile.tempdir = '/proc/nowhere'\nprint(unexpected(KeyError('x')))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "--debug shows the traceback" in told


@pytest.mark.parametrize(
    ("does", "kind", "says"),
    [
        ("{}['x']", ChildBroke, "the child ended with exit code 70: KeyError: 'x'"),
        ("raise ConnectionRefusedError('nobody there')", ServiceFailed, "nobody there"),
        ("import redis\n    raise redis.exceptions.RedisError('gone')", ServiceFailed, "RedisError: gone"),
    ],
)
def test_a_childs_own_fault_and_what_it_met_are_told_apart(
    tmp_path: Path, does: str, kind: type[ServiceFailed], says: str
) -> None:
    child = spawn("the child", [sys.executable, "-c", CHILD.format(does)], tmp_path / "log")
    child.process.wait(20)
    with pytest.raises(ServiceFailed, match=re.escape(says)) as failed:
        child.check()
    assert type(failed.value) is kind
    assert ("please report it" in str(failed.value)) is (kind is ChildBroke)
    assert "Traceback" in (tmp_path / "log").read_text()


CHILDREN = ("harness.gateway", "harness.load.driver", "harness.load.worker", "harness.audience.engine")
SPEAKERS = (*CHILDREN, "harness.services.proxy", "harness.experiments.claims.durability")


@pytest.mark.parametrize("module", SPEAKERS)
def test_every_child_ends_so(module: str) -> None:
    """With settings that no parent would give it."""
    argv = [sys.executable, "-m", module, "x"]
    answer = subprocess.run(argv, input=b"{}", capture_output=True, check=False)
    # msgspec has a class of its own for settings that cannot be; what is no number is Python's.
    assert answer.returncode in {1, ExitCode.UNEXPECTED}
    lines = answer.stderr.decode().splitlines()
    assert "Traceback" in answer.stderr.decode()
    assert re.match(r"(ValidationError|ValueError): .*", lines[-1])
