"""A comparison's plan in its folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.experiments import comparison
from harness.experiments.campaign import Campaign

PLAN = Campaign(
    architectures=("plan1", "redis"), rates_per_s=(20.0,), rounds=3, common=RunSettings(arch="plan1", partitions=8)
)


def test_the_plan_survives_in_the_folder(tmp_path: Path) -> None:
    folder = comparison.begin(PLAN, str(tmp_path))
    assert msgspec.structs.replace(comparison.resume(folder), command=()) == PLAN


@pytest.mark.parametrize("text", [None, "{", '{"rounds": 3}'])
def test_a_folder_without_a_plan_cannot_be_resumed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(UsageError, match="is not a folder that `chatbench compare` made"):
        comparison.resume(tmp_path)
