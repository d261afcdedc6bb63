"""Marks everything under tests/real, so that `pytest -m "not real"` is the fast part."""

from pathlib import Path

import pytest

REAL = Path(__file__).parent / "real"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if REAL in item.path.parents:
            item.add_marker(pytest.mark.real)
