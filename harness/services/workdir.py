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
    remove_leftovers(base, PREFIX)
    require_free_space(base, FREE_BYTES_MIN)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))


def require_free_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise ServiceFailed(
            f"the disk of {folder} has {free_bytes / 2**20:.0f} MiB free, but the services need "
            f"{needed_bytes / 2**20:.0f} MiB; free some space or set TMPDIR to a folder on another disk"
        )


def remove_leftovers(base: Path, prefix: str) -> None:
    """Remove the folders here, named after the prefix and a process id, whose process is no more."""
    for folder in base.glob(f"{prefix}[0-9]*-*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # another chatbench may be removing it as well
