import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import ServiceFailed
from harness.services import workdir


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f"chatbench-{int(gone.stdout)}-x"
    living = tmp_path / f"chatbench-{os.getppid()}-x"
    foreign = tmp_path / "chatbench-logs-1"
    for folder in (left, living, foreign):
        folder.mkdir()
    made = workdir.make_workdir()
    assert sorted(tmp_path.iterdir()) == sorted([made, living, foreign])


def test_a_full_disk_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="free some space or set TMPDIR") as failed:
        workdir.require_free_space(tmp_path, 1 << 60)
    assert "\n" not in str(failed.value)
