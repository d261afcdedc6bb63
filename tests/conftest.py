"""Marks `real` tests by what they use, and begins the longest files first; makes hypothesis repeatable."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from architectures.interface import Requirements
    from harness.services.backends import Backends

RESULTS = Path(__file__).parents[1] / "results"
CONFORMANCE = "tests/conformance/"
# A test is `real` if it is in one of these folders, or uses one of these fixtures: each starts a broker.
REAL_FOLDERS = [Path(__file__).parent / folder for folder in ("real", "conformance")]
BROKERS = {"backends", "nats_server", "redis_cluster", "redis_server", "strict_nats_server"}
TAKES_SECONDS = {"site"}  # the documentation, built: whatever uses it is `slow`
# Their files take a minute and more: begun first, so that at the end no process of tests waits for another's.
LONGEST = (
    *("test_cookbook.py", "test_wheel.py", "test_faults.py", "test_compare.py", "test_scenario_mistakes.py"),
    *("test_architectures.py", "test_external.py", "test_ending.py", "test_readme.py", "test_resets.py"),
    *("test_claims.py", "test_selftest.py", "test_chat.py"),
)

RESULTS_BEFORE = pytest.StashKey[set[str]]()

# The same examples in every run, and no deadline: a test must not fail because the machine was busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder for each process of tests: no run borrows the services of another process's `chatbench up`."""
    # A broker of a few seconds spends most of its CPU time on compiling; tests do not measure how fast it is.
    os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"
    # Containers often set this. Then each of the thousands of processes that tests start would compile all it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    folder = tempfile.mkdtemp(prefix="chatbench-tests-")
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    config.stash[RESULTS_BEFORE] = _results()


@pytest.fixture(scope="module")
def backends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """The brokers that the file's REQUIRES names, or else all that can be started here, shared by its tests."""
    from tests.backends import running_backends  # noqa: PLC0415 - test_conftest.py copies this file alone

    requires: Requirements | None = getattr(request.module, "REQUIRES", None)
    with running_backends(tmp_path_factory.mktemp("backends"), requires) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def working_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not the checkout: what a command leaves where it is called goes with the tests."""
    here = tmp_path_factory.mktemp("working-directory")
    os.chdir(here)
    return here


def _results() -> set[str]:
    return {path.name for path in RESULTS.iterdir()} if RESULTS.is_dir() else set()


def _left_behind(config: pytest.Config) -> list[str]:
    before: set[str] = config.stash[RESULTS_BEFORE]
    return sorted(_results() - before)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _left_behind(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_by_design(nodeid: str, reason: str) -> bool:
    """Whether a test was skipped for what an architecture does not promise, and not for what this machine lacks."""
    return nodeid.startswith(CONFORMANCE) and not reason.endswith("is not installed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What this machine lacks, so that nobody takes a skipped test for one that passed; and what tests have left."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and not _is_by_design(report.nodeid, report.longrepr[2])
    )
    if reasons:
        terminalreporter.section("not tested here", sep="-", yellow=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} test{'s' * (count > 1)}: {reason}")
    if left := _left_behind(config):
        terminalreporter.section("left in results/", sep="-", red=True)
        terminalreporter.line(f"Tests write to temporary folders, but here there are now: {', '.join(left)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & BROKERS or any(folder in item.path.parents for folder in REAL_FOLDERS):
            item.add_marker(pytest.mark.real)
        if fixtures & TAKES_SECONDS:
            item.add_marker(pytest.mark.slow)
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _turn(item, item.path in slow_files))


def _turn(item: pytest.Item, is_of_slow_file: bool) -> tuple[bool, int, bool]:
    name = item.path.name
    length = LONGEST.index(name) if name in LONGEST else len(LONGEST)
    return item.get_closest_marker("real") is None, length, not is_of_slow_file
