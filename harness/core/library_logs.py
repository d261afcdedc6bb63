"""Warnings of libraries go to a file in the logs of the run, and never to the terminal.

librdkafka, redis-py, nats-py, asyncio, matplotlib and Python's warnings all use `logging`, which by default prints to
stderr. The messages of the command's own process are collected here; its child processes have their own logs.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FILE = "libraries.log"
WAITING_MAX = 1_000


class _LibraryLogs(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter(FORMAT))
        self.file: Path | None = None
        self.waiting: deque[str] = deque(maxlen=WAITING_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        self.waiting.append(self.format(record) + "\n")
        self.write()

    def write(self) -> None:
        if self.file is None or not self.waiting:
            return
        with contextlib.suppress(OSError):  # the disk is full, or the folder was removed
            with self.file.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.writelines(self.waiting)
            self.waiting.clear()


_logs = _LibraryLogs()


def keep_off_the_terminal() -> None:
    """Collect the messages of all libraries from now on. Lines wait until `write_to` names a folder."""
    logging.captureWarnings(True)
    logging.getLogger().addHandler(_logs)


def write_to(folder: Path) -> None:
    """Write the waiting and all later lines to the log in this folder, the logs of the run that begins."""
    _logs.acquire()
    try:
        _logs.file = folder / FILE
        _logs.write()
    finally:
        _logs.release()


def waiting() -> list[str]:
    """Return the lines that were not written to any run's logs."""
    return list(_logs.waiting)
