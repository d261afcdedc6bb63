"""stdout and stderr as they must be for a program whose results are not to be lost to printing them.

Whoever reads may close the pipe (`chatbench list | head -1`), the terminal may not know a character, a stream may be
closed from the start, or lead to a full disk. None of this raises where something is printed.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

QUIET = {errno.EPIPE, errno.EIO}  # nobody reads any more, or the terminal is gone
PLAIN = {"·": "-", "…": "..."}
PLAIN_ERRORS = "chatbench.plain"


class _Sink(io.FileIO):
    """Takes all that is written; what it could not pass on is in `problem`, if somebody should hear of it."""

    problem: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            while (written := self._write_some(data)) is None:  # somebody made it non-blocking, and it is full
                select.select([], [self], [])
        except OSError as problem:
            if problem.errno not in QUIET:
                self.problem = self.problem or problem
            return memoryview(data).nbytes
        return written

    def _write_some(self, data: ReadableBuffer) -> int | None:
        return super().write(data)


def _plain(problem: UnicodeError) -> tuple[str | bytes, int]:
    """For an encoding that lacks a character: like it, or its code."""
    assert isinstance(problem, UnicodeEncodeError)
    lacking = problem.object[problem.start : problem.end]
    if all(character in PLAIN for character in lacking):
        return "".join(PLAIN[character] for character in lacking), problem.end
    return codecs.backslashreplace_errors(problem)


def make_standard_streams_safe() -> None:
    """Call it once, before anything is printed."""
    codecs.register_error(PLAIN_ERRORS, _plain)
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # else the next file that is opened gets a closed one's
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout, sys.stderr = _safe(sys.stdout, 1), _safe(sys.stderr, 2)


def _safe(stream: TextIO | None, descriptor: int) -> TextIO:
    sink = _Sink(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=PLAIN_ERRORS,
        line_buffering=True,
    )


def not_written() -> str | None:
    """What could not be written to stdout, though somebody waits for it."""
    sys.stdout.flush()
    sink = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    problem = sink.problem if isinstance(sink, _Sink) else None
    return None if problem is None else f"stdout could not be written: {problem.strerror}"
