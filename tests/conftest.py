"""Marks what needs real backends, so that `pytest -m "not real"` is the fast part; makes hypothesis repeatable."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

REAL = [Path(__file__).parent / folder for folder in ("real", "conformance")]
# Their files take a minute and more: begun first, so that at the end no process of tests waits for another's.
LONGEST = ("test_conformance.py", "test_readme.py", "test_faults.py", "test_selftest.py")

# The same examples in every run, and no deadline: a test must not fail because the machine was busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder for each process of tests: no run borrows the services of another process's `chatbench up`."""
    folder = tempfile.mkdtemp(prefix="chatbench-tests-")
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--arch", action="append", help="architecture for tests/conformance; default: all installed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(folder in item.path.parents for folder in REAL):
            item.add_marker(pytest.mark.real)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool]:
    return item.get_closest_marker("real") is None, item.path.name not in LONGEST
