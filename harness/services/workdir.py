"""Temporary folders of chatbench's own: removed at the end, or by the next start if their owner was killed.

Whose a folder is, a lock tells that dies with its owner, also by SIGKILL. A process id would not: another process may
have it by now, and another container that shares the folder counts its own.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import psutil

from harness.core.errors import ServiceFailed

PREFIX = "chatbench-"
LOGS_PREFIX = f"{PREFIX}logs-"
LOCK = ".owner"
MADE_BY = re.compile(r"(logs-)?(?P<pid>[0-9]+)-[a-z0-9_]{8}")  # after the prefix, as make_folder and mkdtemp name it
FREE_BYTES_MIN = 512 * 1024 * 1024
UNLOCKED_MIN_AGE_S = 60.0  # of a folder without a lock, before it counts as left: its owner may be about to make one

_locks: dict[Path, int] = {}  # by folder, what holds its lock


def make_workdir() -> Path:
    """A fresh folder for services; raises ServiceFailed when the disk it is on is nearly full."""
    base = Path(tempfile.gettempdir())
    remove_leftovers(base, PREFIX)
    require_free_space(base, FREE_BYTES_MIN)
    return make_folder(base, PREFIX)


def make_logs_folder() -> Path:
    """A fresh folder for logs that go with the command: `discard` it, or `keep` it where they say why it failed."""
    base = Path(tempfile.gettempdir())
    remove_leftovers(base, PREFIX)
    return make_folder(base, LOGS_PREFIX)


def make_folder(base: Path, prefix: str) -> Path:
    """A fresh folder there, this process's own until it is discarded or kept, or this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))
    incomplete = folder / f"{LOCK}.new"
    lock = os.open(incomplete, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    incomplete.rename(folder / LOCK)  # so that nobody ever sees it there and free
    _locks[folder] = lock
    return folder


def discard(folder: Path) -> None:
    """Remove it, as far as possible: what is left, the next start removes."""
    shutil.rmtree(folder, ignore_errors=True)
    _let_go(folder)


def keep(folder: Path) -> None:
    """Leave it to the user."""
    (folder / LOCK).unlink(missing_ok=True)
    _let_go(folder)


def _let_go(folder: Path) -> None:
    lock = _locks.pop(folder, None)
    if lock is not None:
        os.close(lock)


def require_free_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise ServiceFailed(
            f"the disk of {folder} has {free_bytes / 2**20:.0f} MiB free, but the services need "
            f"{needed_bytes / 2**20:.0f} MiB; free some space or set TMPDIR to a folder on another disk"
        )


def remove_leftovers(base: Path, prefix: str) -> None:
    """Remove this user's folders here whose names begin so and whose owner is no more."""
    for folder in base.glob(f"{prefix}*"):
        try:
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_left(folder, prefix):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another chatbench is removing it as well


def _is_left(folder: Path, prefix: str) -> bool:
    owner = MADE_BY.fullmatch(folder.name.removeprefix(prefix))
    if owner is None:
        return False  # a user's own, that happens to begin like ours
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _was_never_locked(folder, int(owner["pid"]))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _was_never_locked(folder: Path, owner: int) -> bool:
    """Its owner was killed before it could: that is told by its process id, by its age, and by nothing being in it."""
    age_s = time.time() - folder.stat().st_mtime
    has_only_ours = {path.name for path in folder.iterdir()} <= {f"{LOCK}.new"}
    return has_only_ours and not psutil.pid_exists(owner) and age_s > UNLOCKED_MIN_AGE_S
