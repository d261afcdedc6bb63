"""Files in the working directory are never imported, neither by a command nor by its child processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.real.runs import SHORT

DECOYS = ("redis", "queue", "http", "json", "locust", "msgspec", "uvloop", "sitecustomize", "usercustomize")
OURS = ("harness", "architectures", "peers", "scenarios", "harness/load", "harness/gateway")
SCRIPT = [str(Path(sys.executable).parent / "chatbench")]
MODULE = [sys.executable, "-m", "harness.cli"]

SCENARIO = """
from locust import task
import queue
from chatbench.locust import Member
from phrases_beside_it import phrase

class Visitor(Member):
    def on_start(self):
        import redis, http.client
        self.join("lobby")

    @task
    def speak(self):
        self.say(phrase() + self.text())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With modules that say that they were imported, and then fail; and with a scenario beside them."""
    decoy = f"""
import pathlib, sys
pathlib.Path({str(tmp_path / "imported.txt")!r}).open("a").write(__name__ + " " + " ".join(sys.argv) + chr(10))
raise RuntimeError(__name__ + " of the working directory was imported")
"""
    for name in DECOYS:
        (tmp_path / f"{name}.py").write_text(decoy)
    (tmp_path / "phrases_beside_it.py").write_text("def phrase(): return 'good evening '\n")
    (tmp_path / "redis_talk.py").write_text(SCENARIO)
    return tmp_path


def run_there(folder: Path, command: list[str], *arguments: str) -> None:
    answer = subprocess.run(
        [*command, "run", "--arch", "direct", "--members", "10", "--json", *SHORT, *arguments, "--out", "records"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = folder / "imported.txt"
    assert not imported.exists(), imported.read_text()
    assert answer.returncode in (0, 4), answer.stderr
    summary = msgspec.json.decode(answer.stdout)
    assert summary["lost"] == 0
    assert summary["delivered"] > 0


@pytest.mark.parametrize("scenario", ["big_room", "redis_talk.py"])
def test_a_run_imports_nothing_from_there(scenario: str, folder: Path) -> None:
    for name in OURS:
        package = folder / name
        package.mkdir()
        (package / "__init__.py").write_text((folder / "redis.py").read_text())
    run_there(folder, SCRIPT, "--scenario", scenario, "--processes", "2")


def test_python_dash_m_imports_nothing_from_there_either(folder: Path) -> None:
    run_there(folder, MODULE)


def test_a_scenario_may_be_called_like_what_chatbench_needs(folder: Path) -> None:
    (folder / "uvloop.py").write_text(SCENARIO)
    run_there(folder, SCRIPT, "--scenario", "uvloop.py")
