"""An architecture from a package of its own: nothing in the project changes for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which the example package is installed."""
    target = tmp_path_factory.mktemp("site")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([sys.executable, *install, str(EXAMPLE)], check=True, timeout=120)
    return {**os.environ, "PYTHONPATH": str(target)}


def python(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def test_it_is_listed(with_plugin: Mapping[str, str]) -> None:
    answer = python(with_plugin, "-m", "harness.cli", "list")
    assert "mesh" in answer.stdout, answer.stderr


def test_it_runs(with_plugin: Mapping[str, str], tmp_path: Path) -> None:
    short = ["--duration", "2s", "--warmup", "0s", "--out", str(tmp_path)]
    answer = python(with_plugin, "-m", "harness.cli", "run", "--arch", "mesh", "--gateways", "3", "--json", *short)
    assert answer.returncode in (0, 4), answer.stderr
    summary = msgspec.json.decode(answer.stdout)
    assert (summary["arch"], summary["gateways"]) == ("mesh", 3)
    assert summary["delivered"] == summary["expected"] > 0
    assert [promise["held"] for promise in summary["promises"]] == [True, True, True]


def test_it_passes_the_conformance_suite_in_one_line(with_plugin: Mapping[str, str]) -> None:
    answer = python(with_plugin, "-m", "pytest", "-q", "tests/conformance", "--arch", "mesh")
    assert answer.returncode == 0, answer.stdout
    assert "8 passed" in answer.stdout
