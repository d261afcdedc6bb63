"""The outermost handler of every program: an unexpected error becomes one sentence, a log, and how to report it."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import version

from harness.core import library_logs
from harness.core.errors import ExitCode, where

REPORT_IT = "this is a bug in chatbench, so please report it, with that log, where you got chatbench from"
LOG_PREFIX = "chatbench-error-"
CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")


def unexpected(problem: BaseException) -> str:
    """Write the traceback to a log, and return the sentence for the user."""
    summary = CREDENTIALS.sub("...@", where(problem))[:300]
    try:
        log = _write_log(problem)
    except OSError as full:
        return f"unexpected {summary}; no log could be written ({full}); --debug shows the traceback"
    return f"unexpected {summary}; its log is {log}; {REPORT_IT}"


def _write_log(problem: BaseException) -> str:
    lines = [
        f"chatbench {version('chatbench')}, Python {platform.python_version()}, {platform.platform()}\n",
        f"command: {sys.argv}\n\n",
        *traceback.format_exception(problem),
        *library_logs.waiting(),
    ]
    with tempfile.NamedTemporaryFile(
        "w", prefix=LOG_PREFIX, suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as log:
        log.writelines(CREDENTIALS.sub("...@", line) for line in lines)
    return log.name


def is_mistake(problem: BaseException) -> bool:
    """Whether the exception is a bug: what a backend's client raises has its own class, or is an OSError."""
    return type(problem).__module__ == "builtins" and not isinstance(problem, OSError)


def run_child(main: Callable[[], None]) -> None:
    """Run the main function of a child process. Its stderr is its log, and the parent shows the log's last line."""
    try:
        main()
    except Exception as problem:  # noqa: BLE001 - the outermost
        traceback.print_exc()
        sys.stderr.write(f"{where(problem)}\n")
        sys.exit(ExitCode.UNEXPECTED if is_mistake(problem) else 1)
