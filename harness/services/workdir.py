"""The temporary folder of a run's services: removed at the end, or by the next run if this one was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from harness.errors import ServiceFailed

PREFIX = "chatbench-"
FREE_BYTES_MIN = 512 * 1024 * 1024


def make_workdir() -> Path:
    """A fresh folder; raises ServiceFailed when the disk it is on is nearly full."""
    base = Path(tempfile.gettempdir())
    _remove_leftovers(base)
    require_free_space(base, FREE_BYTES_MIN)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))


def require_free_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise ServiceFailed(
            f"the disk of {folder} has {free_bytes / 2**20:.0f} MiB free, but the services need "
            f"{needed_bytes / 2**20:.0f} MiB; free some space or set TMPDIR to a folder on another disk"
        )


def _remove_leftovers(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # another chatbench may be removing it as well
