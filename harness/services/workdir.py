"""Temporary folders of chatbench: removed at the end, or by the next start if their owner was killed.

A lock in the folder shows that its owner is alive: it is released however the owner ends, also by SIGKILL. A process id
would not show that: another process may have it by now, and a container that shares the folder has its own numbers.
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
UNLOCKED_MIN_AGE_S = 60.0  # a younger folder without a lock is not a leftover: its owner may be about to make one

_locks: dict[Path, int] = {}  # the file descriptor that holds a folder's lock, by folder


def make_workdir() -> Path:
    """Make a new folder for services; raises ServiceFailed if its disk is nearly full."""
    base = Path(tempfile.gettempdir())
    remove_leftovers(base, PREFIX)
    require_free_space(base, FREE_BYTES_MIN)
    return make_folder(base, PREFIX)


def make_logs_folder() -> Path:
    """Make a new folder for the logs of a command: `discard` it, or `keep` it if they say why the command failed."""
    base = Path(tempfile.gettempdir())
    remove_leftovers(base, PREFIX)
    return make_folder(base, LOGS_PREFIX)


def make_folder(base: Path, prefix: str) -> Path:
    """Make a new folder there, which this process owns until it is discarded or kept, or the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))
    incomplete = folder / f"{LOCK}.new"
    lock = os.open(incomplete, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    incomplete.rename(folder / LOCK)  # so that no other process ever sees the lock there and free
    _locks[folder] = lock
    return folder


def discard(folder: Path) -> None:
    """Remove the folder as far as possible; the next start removes the rest."""
    shutil.rmtree(folder, ignore_errors=True)
    _let_go(folder)


def keep(folder: Path) -> None:
    """Leave the folder to the user: no later start removes it."""
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
    """Remove this user's folders in `base` whose names begin with the prefix and whose owner has ended."""
    for folder in base.glob(f"{prefix}*"):
        try:
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_left(folder, prefix):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another chatbench is removing it as well


def _is_left(folder: Path, prefix: str) -> bool:
    owner = MADE_BY.fullmatch(folder.name.removeprefix(prefix))
    if owner is None:
        return False  # a folder of the user's, whose name happens to begin in the same way
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
    """Whether its owner was killed before it made a lock, by its process id, its age, and the folder being empty."""
    age_s = time.time() - folder.stat().st_mtime
    has_only_ours = {path.name for path in folder.iterdir()} <= {f"{LOCK}.new"}
    return has_only_ours and not psutil.pid_exists(owner) and age_s > UNLOCKED_MIN_AGE_S
