"""Brokers that stand while a file's runs come and go, as `chatbench up` offers them to a user."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.runs import services_up


@pytest.fixture(scope="module")
def standing() -> Iterator[None]:
    """A Kafka and a Redis for every run of the file that can use them: a run then starts in one second, not in five."""
    with services_up():
        yield
