"""Errors for the user: each is one sentence that says what was wrong, the value, and what to do next."""

from __future__ import annotations

import errno
import traceback
from enum import IntEnum
from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_ERRORS = (*FULL_DISK, errno.EROFS, errno.EIO)


class ExitCode(IntEnum):
    """The exit codes of `chatbench` (contract)."""

    OK = 0
    USAGE = 2
    SERVICE_FAILED = 3
    DRIVER_NOT_VALID = 4
    CHECK_FAILED = 5  # a promise was broken, or a calibration did not hold
    UNEXPECTED = 70  # EX_SOFTWARE: a bug in chatbench
    INTERRUPTED = 130


class ChatbenchError(Exception):
    """An error for the user; its text is shown without a traceback."""

    exit_code = ExitCode.SERVICE_FAILED


class UsageError(ChatbenchError):
    """The command line or the configuration asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class LoadTooFast(UsageError):
    """The load sends more frames per member than the gateways accept."""


class ServiceFailed(ChatbenchError):
    """A process or a phase that the run needs has failed."""


class ChildBroke(ServiceFailed):
    """A process of chatbench has ended with an unexpected error."""

    exit_code = ExitCode.UNEXPECTED


class Interrupted(BaseException):
    """A signal has ended the run. It is not an Exception, so that no `except Exception` swallows it."""


def where(problem: BaseException) -> str:
    """Return the exception in one line, with the line of code that raised it."""
    text = " ".join(f"{type(problem).__name__}: {problem}".split())
    if isinstance(problem, SyntaxError):
        return text
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{text} (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else text
