"""Marks tests that need real backends, so that `pytest -m "not real"` is the fast part; makes hypothesis repeatable."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

RESULTS = Path(__file__).parents[1] / "results"
CONFORMANCE = "tests/conformance/"
REAL = [Path(__file__).parent / folder for folder in ("real", "conformance")]
# Their files take a minute and more: begun first, so that at the end no process of tests waits for another's.
LONGEST = ("test_architectures.py", "test_wheel.py", "test_readme.py", "test_faults.py", "test_selftest.py")

RESULTS_BEFORE = pytest.StashKey[set[str]]()

# The same examples in every run, and no deadline: a test must not fail because the machine was busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder for each process of tests: no run borrows the services of another process's `chatbench up`."""
    folder = tempfile.mkdtemp(prefix="chatbench-tests-")
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    config.stash[RESULTS_BEFORE] = _results()


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What this machine lacks, so that nobody takes a skipped test for one that passed; and what tests have left."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and not report.nodeid.startswith(CONFORMANCE)
    )
    if reasons:
        terminalreporter.section("not tested here", sep="-", yellow=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} test{'s' * (count > 1)}: {reason}")
    if left := _left_behind(config):
        terminalreporter.section("left in results/", sep="-", red=True)
        terminalreporter.line(f"Tests write to temporary folders, but here there are now: {', '.join(left)}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--arch", action="append", help="architecture for tests/conformance; default: all installed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(folder in item.path.parents for folder in REAL):
            item.add_marker(pytest.mark.real)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool]:
    return item.get_closest_marker("real") is None, item.path.name not in LONGEST
