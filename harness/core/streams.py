"""Makes stdout and stderr safe, so that printing never raises and loses the results of a run.

The reader may close the pipe (`chatbench list | head -1`), the terminal may lack a character, a stream may be closed
from the start, and a disk may be full.
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

QUIET = {errno.EPIPE, errno.EIO}  # the reader has closed the pipe, or the terminal is gone
PLAIN = {"·": "-", "…": "..."}
PLAIN_ERRORS = "chatbench.plain"


class _Sink(io.FileIO):
    """Accepts every write. `problem` holds the first error, unless the reader is gone."""

    problem: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            while (written := self._write_some(data)) is None:  # another process made it non-blocking, and it is full
                select.select([], [self], [])
        except OSError as problem:
            if problem.errno not in QUIET:
                self.problem = self.problem or problem
            return memoryview(data).nbytes
        return written

    def _write_some(self, data: ReadableBuffer) -> int | None:
        return super().write(data)


def _plain(problem: UnicodeError) -> tuple[str | bytes, int]:
    """Replace characters that the encoding lacks by similar ones, or by their code."""
    assert isinstance(problem, UnicodeEncodeError)
    lacking = problem.object[problem.start : problem.end]
    if all(character in PLAIN for character in lacking):
        return "".join(PLAIN[character] for character in lacking), problem.end
    return codecs.backslashreplace_errors(problem)


def make_standard_streams_safe() -> None:
    """Replace stdout and stderr by safe streams. Call it once, before anything is printed."""
    codecs.register_error(PLAIN_ERRORS, _plain)
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # else the next opened file gets 0, 1 or 2
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
    """Return why stdout could not be written, for the user; None if everything was written or the reader is gone."""
    sys.stdout.flush()
    sink = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    problem = sink.problem if isinstance(sink, _Sink) else None
    return None if problem is None else f"stdout could not be written: {problem.strerror}"
