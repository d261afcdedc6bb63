"""What the simulations of this folder share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def quick_collections() -> Iterator[None]:
    """statsmodels collects garbage in each test for several hypotheses: let it not look at all of pytest each time."""
    gc.freeze()
    yield
    gc.unfreeze()
