"""A command does its work whatever happens to stdout and stderr."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHATBENCH = f"{sys.executable} -m harness.cli"
PRINTS = "from harness.core.streams import make_standard_streams_safe\nmake_standard_streams_safe()\nprint({!r})"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["list", "run --help", "doctor", "run --arch plan1x"])
@pytest.mark.parametrize("streams", ["| true", ">&-", "2>&-", ">&- 2>&- <&-", "2>/dev/full"])
def test_a_stream_that_nobody_reads_ends_nothing(command: str, streams: str) -> None:
    answer = shell(f"{CHATBENCH} {command} {streams}")
    assert answer.returncode == (2 if "plan1x" in command else 0)
    for told in (answer.stdout, answer.stderr):
        assert "Traceback" not in told
        assert "Exception ignored" not in told
        assert "Broken pipe" not in told


def test_results_that_could_not_be_written_are_missed() -> None:
    answer = shell(f"{CHATBENCH} list > /dev/full")
    assert answer.returncode == 3
    assert answer.stderr == "chatbench: stdout could not be written: No space left on device\n"


@pytest.mark.parametrize("command", ["list", "--help", "doctor"])
def test_a_terminal_that_knows_ascii_alone_gets_ascii(command: str) -> None:
    answer = shell(f"{CHATBENCH} {command}", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert answer.returncode == 0
    assert answer.stdout.isascii()


def test_a_character_that_is_lacking_is_like_it_or_its_code() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PRINTS.format("plan1 · ü \udcff")],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == "plan1 - \\xfc \\udcff\n"
