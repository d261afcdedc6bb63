"""Where the time of messages goes, in real runs: what is added to a stage is seen in that stage and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.real.runs import run

LOAD = ["--members", "20", "--rate", "100", "--gateways", "1"]
ADDED_MS = 500.0  # more than a busy machine adds to a typical message


def typical_ms(summary: dict[str, Any]) -> dict[str, float]:
    stages: dict[str, float] = summary["stages"]["typical_ms"]
    return stages


def test_a_delay_of_the_backend_is_in_that_stage_alone(tmp_path: Path) -> None:
    usual = typical_ms(run(tmp_path / "usual", "--arch", "faulty", *LOAD))
    delayed = typical_ms(run(tmp_path / "delayed", "--arch", "faulty", *LOAD, "--arch-set", f"delay_ms={ADDED_MS:g}"))
    more = {stage: delayed[stage] - usual[stage] for stage in usual}
    assert more.pop("backend") == pytest.approx(ADDED_MS, abs=ADDED_MS / 2)
    assert max(more.values()) < ADDED_MS / 2, more


def test_a_long_tick_is_waiting(tmp_path: Path) -> None:
    stages = typical_ms(run(tmp_path, "--arch", "faulty", *LOAD, "--tick", f"{ADDED_MS:g}ms"))
    waiting_ms = stages.pop("waiting")
    assert waiting_ms > sum(stages.values())
    assert waiting_ms <= 1.5 * ADDED_MS


def test_the_record_has_the_way_of_every_traced_message(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "redis", "--members", "20", "--rate", "100")
    ways = pd.read_parquet(summary["folder"] / "stages.parquet")
    assert len(ways) == summary["stages"]["messages"]
    assert 0.2 * summary["sent"] < len(ways) < 0.5 * summary["sent"], "one in three"
    stages = [f"{name}_ns" for name in summary["stages"]["typical_ms"]]
    assert (ways[stages].sum(axis=1) == ways["total_ns"]).all()
    assert set(ways["gateway"]) <= {0, 1}


@pytest.mark.parametrize(("arch", "mark"), [("kafka-redis", "relayed"), ("plan1", "all_partitions_acked")])
def test_a_mark_of_an_architecture_is_a_stage(tmp_path: Path, arch: str, mark: str) -> None:
    stages = typical_ms(run(tmp_path, "--arch", arch, "--members", "20", "--rate", "100"))
    names = list(stages)
    assert names[names.index("backend") + 1] == mark
    assert stages["backend"] > 0
    assert stages[mark] > 0


def test_at_a_high_rate_only_some_messages_are_traced(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "direct", "--members", "10", "--rate", "1k")
    assert 0.05 * summary["sent"] < summary["stages"]["messages"] < 0.2 * summary["sent"]
