import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.core.errors import ServiceFailed
from harness.services import workdir

MAKES_ONE = "from harness.services import workdir; print(workdir.make_workdir(), flush=True); input()"
LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def owner() -> subprocess.Popen[str]:
    """A process with a folder of its own, which it tells in a line."""
    return subprocess.Popen([sys.executable, "-c", MAKES_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def folder_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(base: Path) -> None:
    with owner() as living, owner() as killed:
        theirs, left = folder_of(living), folder_of(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.is_dir()
        made = workdir.make_workdir()
        assert sorted(base.iterdir()) == sorted([made, theirs])
        living.kill()
    workdir.discard(made)


def test_whose_process_id_another_process_has_by_now_is_left_all_the_same(base: Path) -> None:
    with owner() as killed:
        left = folder_of(killed)
        killed.kill()
    left = left.rename(base / f"chatbench-{os.getppid()}-abcdefgh")
    workdir.remove_leftovers(base, workdir.PREFIX)
    assert not left.exists()


def test_a_living_owner_whose_process_id_is_not_seen_here_keeps_its_folder(base: Path) -> None:
    """As of another container that shares the folder."""
    with owner() as living:
        theirs = folder_of(living).rename(base / f"chatbench-{_pid_of_nobody()}-abcdefgh")
        workdir.remove_leftovers(base, workdir.PREFIX)
        assert theirs.is_dir()
        living.kill()


def _pid_of_nobody() -> int:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(gone.stdout)


def test_without_a_lock_it_must_be_old_and_of_a_process_that_is_gone(base: Path) -> None:
    gone = _pid_of_nobody()
    of_all = ((gone, "aaaaaaaa"), (gone, "bbbbbbbb"), (1, "cccccccc"))
    left, just_made, living = (base / f"chatbench-{pid}-{name}" for pid, name in of_all)
    for folder in (left, just_made, living):
        folder.mkdir()
    for folder in (left, living):
        os.utime(folder, (LONG_AGO, LONG_AGO))
    workdir.remove_leftovers(base, workdir.PREFIX)
    assert sorted(base.iterdir()) == sorted([just_made, living])


def test_what_is_not_surely_its_own_stays(base: Path) -> None:
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / workdir.LOCK).touch()
    link = base / f"chatbench-{_pid_of_nobody()}-abcdefgh"
    link.symlink_to(elsewhere)
    gone = _pid_of_nobody()
    names = ("notes", "2026-11-26", f"{gone}", f"{gone}-results", f"{gone}-20261126")
    foreigners = [base / f"chatbench-{name}" for name in names]
    for foreign in foreigners:
        foreign.mkdir()
        (foreign / "of mine").touch()
        os.utime(foreign, (LONG_AGO, LONG_AGO))
    workdir.remove_leftovers(base, workdir.PREFIX)
    assert link.is_symlink()
    assert elsewhere.is_dir()
    assert all(foreign.is_dir() for foreign in foreigners)


def test_logs_that_say_why_something_failed_stay_for_the_user(base: Path) -> None:
    kept, discarded = workdir.make_logs_folder(), workdir.make_logs_folder()
    workdir.keep(kept)
    workdir.discard(discarded)
    os.utime(kept, (LONG_AGO, LONG_AGO))
    workdir.remove_leftovers(base, workdir.PREFIX)
    assert list(base.iterdir()) == [kept]


def test_a_full_disk_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="free some space or set TMPDIR") as failed:
        workdir.require_free_space(tmp_path, 1 << 60)
    assert "\n" not in str(failed.value)
