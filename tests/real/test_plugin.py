"""An architecture from a package of its own, which needs no change in this project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from architectures.interface import Architecture, Candidate
from tests.real.runs import run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"
GUIDE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def installed(package: Path, target: Path) -> Mapping[str, str]:
    """An environment in which the package is installed."""
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([sys.executable, *install, str(package)], check=True)
    return {**os.environ, "PYTHONPATH": str(target)}


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return installed(EXAMPLE, tmp_path_factory.mktemp("site"))


def python(environment: Mapping[str, str], *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


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


def test_its_option_is_checked_before_anything_starts(with_plugin: Mapping[str, str]) -> None:
    answer = python(with_plugin, "-m", "harness.cli", "run", "--arch", "mesh", "--arch-set", "unsent_bytes_max=-1")
    assert answer.returncode == 2
    assert "--arch-set unsent_bytes_max is -1, but it must be 0 or more bytes" in answer.stderr


CONFORMANCE = """
from chatbench.testing import ArchitectureConformance
from chatbench_mesh import Mesh

class TestMesh(ArchitectureConformance):
    architecture = Mesh
"""


def conformance(environment: Mapping[str, str], code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As whoever has installed chatbench and not its checkout runs it."""
    (folder / "test_mine.py").write_text(code)
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(folder))
    return python(environment, "-m", "pytest", *options, "test_mine.py", cwd=folder)


def test_it_passes_the_conformance_suite(with_plugin: Mapping[str, str], tmp_path: Path) -> None:
    answer = conformance(with_plugin, CONFORMANCE, tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert "8 passed" in answer.stdout


def shown(kind: str) -> list[str]:
    """The guide's blocks of code in that language: two architectures, and a scenario."""
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def with_the_guides(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Both of its architectures in one package."""
    package = tmp_path_factory.mktemp("package")
    (project,) = shown("toml")
    for first, both in {
        'lobby = "lobby:Lobby"': 'lobby = "lobby:Lobby"\ndoors = "doors:Doors"',
        '"lobby.py"': '"lobby.py", "doors.py"',
    }.items():
        assert first in project
        project = project.replace(first, both)
    (package / "pyproject.toml").write_text(project)
    for name, code in zip(("lobby", "doors"), shown("python"), strict=False):
        (package / f"{name}.py").write_text(code)
    return installed(package, tmp_path_factory.mktemp("site"))


def test_what_the_guide_shows_passes_the_conformance_suite(with_the_guides: Mapping[str, str], tmp_path: Path) -> None:
    (code,) = [each for each in shown("python") if "ArchitectureConformance" in each]
    answer = conformance(with_the_guides, code, tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert "16 passed" in answer.stdout


def test_what_the_guide_shows_first_is_less_than_forty_lines_and_a_whole_architecture(
    with_the_guides: Mapping[str, str], tmp_path: Path
) -> None:
    assert len([line for line in shown("python")[0].splitlines() if line.strip()]) < 40
    short = ["--duration", "2s", "--warmup", "0s", "--out", str(tmp_path / "out"), "--scenario", "many_rooms"]
    answer = python(with_the_guides, "-m", "harness.cli", "run", "--arch", "lobby", "--gateways", "8", "--json", *short)
    assert answer.returncode in (0, 4), answer.stderr
    summary = msgspec.json.decode(answer.stdout)
    assert summary["delivered"] == summary["expected"] > 0
    assert summary["wasted_deliveries_per_message"] > 0, "it is said what this costs"


def test_the_guides_option_is_read_checked_and_refuses_what_is_too_large(
    with_the_guides: Mapping[str, str], tmp_path: Path
) -> None:
    run = ["-m", "harness.cli", "run", "--arch", "doors", "--members", "10", "--duration", "2s", "--warmup", "0s"]
    answer = python(with_the_guides, *run, "--arch-set", "largest_bytes=0")
    assert answer.returncode == 2
    assert "--arch-set largest_bytes is 0, but it must be 1 or more" in answer.stderr
    answer = python(with_the_guides, *run, "--arch-set", "largest_bytes=1", "--json", "--out", str(tmp_path / "out"))
    assert answer.returncode != 0, "not even the probe's messages go through"
    assert "Traceback" not in answer.stderr


def test_the_guides_scenario_shares_the_rate_over_its_classes(tmp_path: Path) -> None:
    scenario = tmp_path / "evening.py"
    scenario.write_text(shown("python")[-1])
    summary = run(tmp_path / "out", "--arch", "direct", "--scenario", str(scenario), "--members", "15", "--rate", "35")
    classes = {each["name"]: each for each in summary["classes"]}
    assert {name: each["members"] for name, each in classes.items()} == {"Host": 3, "Lurker": 8, "Viewer": 4}
    assert classes["Lurker"]["rate_per_s"] == 0
    assert sum(each["rate_per_s"] for each in classes.values()) == pytest.approx(35)
    assert [kind["name"] for kind in classes["Viewer"]["kinds"]] == ["chat", "reaction"]


def test_the_guide_names_every_part_of_the_interface() -> None:
    parts = {name for kind in (Candidate, Architecture) for name in (*vars(kind), *kind.__annotations__)}
    parts = {name for name in parts if not name.startswith("_")}
    assert not {part for part in parts if f"`{part}`" not in GUIDE}
