"""Every command in the README runs as it is written, a comparison for less time than it takes unless told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# One only makes sense before there is a clone; one runs this test; and one changes the shell that it is typed into.
NOT_HERE = ("git clone REPOSITORY chatbench && cd chatbench", "make test", ". .venv/bin/activate")
TESTED_ELSEWHERE = "chatbench selftest"  # test_selftest.py: what it answers depends on the machine


def commands_of(page: str) -> list[str]:
    """Each command that the page shows, once, without those that cannot be run here."""
    shown = [line for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL) for line in block.splitlines()]
    return [command for command in dict.fromkeys(shown) if command not in (*NOT_HERE, TESTED_ELSEWHERE)]


# A comparison takes six minutes for figures that nobody reads here.
IN_SHORT = " --duration 2s --warmup 1s --jvm-warmup 0s"
# A busy machine may make the driver late: exit 4 is an honest answer and no fault of the README.
ANSWERED = (0, 4)


def environment() -> dict[str, str]:
    # make sees the environment it made; a shell has it on the path, as the README says.
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This one, but for its results."""
    there = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.name != "results":
            (there / path.name).symlink_to(path)
    (there / "results").mkdir()
    (there / "results" / "reference").symlink_to(ROOT / "results" / "reference")
    return there


@pytest.mark.parametrize("command", commands_of(README))
def test_the_command_works(command: str, checkout: Path) -> None:
    assert_it_works(command, checkout)


def assert_it_works(command: str, checkout: Path) -> None:
    if command.startswith("chatbench compare "):
        command += IN_SHORT
    answer = subprocess.run(
        command, shell=True, cwd=checkout, env=environment(), capture_output=True, text=True, check=False
    )
    failed_by_make = "Error 4" in answer.stderr  # make itself answers 2 whatever the command said
    assert answer.returncode in ANSWERED or failed_by_make, answer.stderr
    assert answer.stdout or answer.stderr


def test_the_scenario_shown_runs(tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    scenario = tmp_path / "desk.py"
    scenario.write_text(source)
    arguments = ["--scenario", str(scenario), "--out", str(tmp_path / "out"), "--duration", "3s", "--warmup", "0s"]
    answer = subprocess.run(
        [sys.executable, "-m", "harness.cli", "run", "--arch", "direct", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in ANSWERED, answer.stderr
    assert "lost (of these acked)" in answer.stdout
