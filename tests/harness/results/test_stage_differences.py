"""In which stages an architecture is slower than the fastest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.results.frames import frames_of, read_records
from harness.results.stage_differences import StageDifference, stage_differences
from tests.harness.report.records import stages, write_record


def write_run(
    folder: Path, arch: str, all_ms: float | None = None, status: str = "complete", **stages_ms: float
) -> None:
    told = msgspec.structs.replace(stages(6.0, "backend"), typical_ms=stages_ms, typical_of_all_ms=all_ms)
    write_record(folder, arch, stages=told, status=status)


def differences(folder: Path) -> list[StageDifference]:
    return stage_differences(frames_of(read_records([folder])).stages)


def test_each_stage_has_its_part_of_the_difference_and_marks_are_part_of_the_backend(tmp_path: Path) -> None:
    for more_ms in (0.0, 2.0):
        write_run(tmp_path, "redis", 5.0, sending=1, backend=3, to_member=1)
        write_run(tmp_path, "plan1", 15.0 + more_ms, sending=0.5, backend=9 + more_ms, acked=4.5, to_member=1)
    (found,) = differences(tmp_path)
    assert (found.arch, found.over, found.rounds) == ("plan1", "redis", 2)
    assert (found.longer_ms, found.least_ms, found.most_ms) == (11.0, 10.0, 12.0)
    assert found.stages_ms == {"sending": -0.5, "backend": 11.5, "to_member": 0.0}
    assert found.of_all_ms == pytest.approx(11.0)
    assert found.explained == pytest.approx(1.0)


def test_a_round_that_was_interrupted_and_repeated_counts_once(tmp_path: Path) -> None:
    for status in ("complete", "interrupted", "complete"):
        write_run(tmp_path, "redis", status=status, sending=1, backend=4)
    for _round in range(2):
        write_run(tmp_path, "plan1", sending=1, backend=5.6)
    (found,) = differences(tmp_path)
    assert (found.arch, found.over, found.rounds) == ("plan1", "redis", 2)
    assert found.longer_ms == pytest.approx(1.6)


def test_a_difference_may_be_as_wrong_as_the_stages_of_both_together(tmp_path: Path) -> None:
    for arch, backend_ms, error_ms in (("redis", 4.0, 0.5), ("plan1", 14.0, 0.3)):
        typical_ms = {"sending": 1.0, "to_gateway": 1.0, "backend": backend_ms, "acked": 1.0}
        errors_ms = {"to_gateway": error_ms, "backend": 2 * error_ms, "acked": 2 * error_ms}
        told = msgspec.structs.replace(stages(6.0, "backend"), typical_ms=typical_ms, error_ms=errors_ms)
        write_record(tmp_path, arch, stages=told)
    (found,) = differences(tmp_path)
    assert found.stages_error_ms == pytest.approx({"to_gateway": 0.8, "backend": 1.6})
    assert found.error_ms == pytest.approx(1.6)


def test_what_the_traced_messages_do_not_account_for_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, "redis", 5.0, sending=1, backend=4)
    write_run(tmp_path, "plan1", 25.0, sending=1, backend=14)
    (found,) = differences(tmp_path)
    assert found.explained == pytest.approx(0.5)


def test_records_that_did_not_note_all_messages_have_no_share(tmp_path: Path) -> None:
    write_run(tmp_path, "redis", None, sending=1, backend=4)
    write_run(tmp_path, "plan1", 25.0, sending=1, backend=14)
    (found,) = differences(tmp_path)
    assert found.explained is None


@pytest.mark.parametrize("of_plan1", [(5.4, 5.4), (9.0, 4.9)], ids=["equal within 10 %", "not in every round"])
def test_what_may_be_chance_is_not_explained(tmp_path: Path, of_plan1: tuple[float, float]) -> None:
    for backend_ms in of_plan1:
        write_run(tmp_path, "redis", sending=0, backend=5)
        write_run(tmp_path, "plan1", sending=0, backend=backend_ms)
    assert differences(tmp_path) == []


def test_a_single_architecture_has_nobody_to_be_slower_than(tmp_path: Path) -> None:
    write_run(tmp_path, "redis", sending=1, backend=4)
    assert differences(tmp_path) == []
