"""Every command in the cookbook that the README does not show runs as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.otlp import collector
from tests.real.test_readme import README, ROOT, assert_it_works, checkout, commands_of

__all__ = ["checkout"]  # a fixture

pytestmark = pytest.mark.usefixtures("standing", "otlp_endpoint")

COOKBOOK = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def otlp_endpoint() -> Iterator[None]:
    """A collector for `--otel`, because none runs at its default address."""
    with collector() as received, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        yield


@pytest.mark.parametrize("command", [each for each in commands_of(COOKBOOK) if each not in commands_of(README)])
def test_the_command_works(command: str, checkout: Path) -> None:
    assert_it_works(command, checkout)
