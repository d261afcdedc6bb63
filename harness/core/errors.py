"""Errors meant for the user: one sentence that says what was wrong, the value, and what to do next."""

from __future__ import annotations

import errno
import traceback
from enum import IntEnum
from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_ERRORS = (*FULL_DISK, errno.EROFS, errno.EIO)


class ExitCode(IntEnum):
    """What `chatbench` exits with (contract)."""

    OK = 0
    USAGE = 2
    SERVICE_FAILED = 3
    DRIVER_NOT_VALID = 4
    CHECK_FAILED = 5  # a promise was broken, or a calibration did not hold
    UNEXPECTED = 70  # EX_SOFTWARE: a fault of chatbench's own
    INTERRUPTED = 130


class ChatbenchError(Exception):
    """An error for the user; its text is shown without a traceback."""

    exit_code = ExitCode.SERVICE_FAILED


class UsageError(ChatbenchError):
    """What was asked for cannot be done as asked."""

    exit_code = ExitCode.USAGE


class LoadTooFast(UsageError):
    """The gateways take less from one member."""


class ServiceFailed(ChatbenchError):
    """A process or a phase that the run needs failed."""


class ChildBroke(ServiceFailed):
    """A process of chatbench's own met what nobody expected."""

    exit_code = ExitCode.UNEXPECTED


class Interrupted(BaseException):
    """A signal asked for the end; not an Exception, so that no handler on the way swallows it."""


def where(problem: BaseException) -> str:
    """The exception in one line, with the line of the user's own code it came from."""
    text = " ".join(f"{type(problem).__name__}: {problem}".split())
    if isinstance(problem, SyntaxError):
        return text
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{text} (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else text
