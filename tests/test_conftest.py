"""The test suite's own precautions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LEAVES = """
from pathlib import Path

def test_it_works_elsewhere():
    assert Path.cwd() != Path(__file__).parents[1]
    Path("results").mkdir()

def test_it_leaves_something():
    (Path(__file__).parents[1] / "results" / "20260101T000000Z-direct-big_room").mkdir({exist_ok})
"""
LACKS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_of_a_browser(number):
    pytest.skip("there is no Chromium; `make tools` installs one")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "results").mkdir()
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path / "tests")
    return tmp_path


def run_in(checkout: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (checkout / "tests" / "test_some.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "tests"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_is_left_in_results_fails_them(checkout: Path, processes: str) -> None:
    answer = run_in(checkout, LEAVES.format(exist_ok=""), "-n", processes)
    assert "2 passed" in answer.stdout
    assert "here there are now: 20260101T000000Z-direct-big_room" in answer.stdout
    assert answer.returncode == 1
    answer = run_in(checkout, LEAVES.format(exist_ok="exist_ok=True"), "-n", processes)
    assert answer.returncode == 0, "what was there before is nobody's fault"


@pytest.mark.slow
def test_what_a_machine_lacks_is_said_at_the_end(checkout: Path) -> None:
    answer = run_in(checkout, LACKS, "-n", "2")
    assert answer.returncode == 0
    assert "3 tests: there is no Chromium; `make tools` installs one" in answer.stdout
