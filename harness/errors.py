"""Errors meant for the user: one sentence that says what was wrong, the value, and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `chatbench` exits with (contract)."""

    OK = 0
    USAGE = 2
    SERVICE_FAILED = 3
    DRIVER_NOT_VALID = 4
    INTERRUPTED = 130


class ChatbenchError(Exception):
    """An error for the user; its text is shown without a traceback."""

    exit_code = ExitCode.SERVICE_FAILED


class UsageError(ChatbenchError):
    """What was asked for cannot be done as asked."""

    exit_code = ExitCode.USAGE


class ServiceFailed(ChatbenchError):
    """A process or a phase that the run needs failed."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; not an Exception, so that no handler on the way swallows it."""
