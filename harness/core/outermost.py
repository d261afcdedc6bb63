"""The outermost handler of every program here: what nobody expected is one sentence, a log, and a way to report it."""

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

REPORT_IT = "this is a fault of chatbench's own, so please report it, with that log, where you got chatbench from"
LOG_PREFIX = "chatbench-error-"
CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")


def unexpected(problem: BaseException) -> str:
    """The sentence for the user, when the traceback is in a log."""
    told = CREDENTIALS.sub("...@", where(problem))[:300]
    try:
        log = _write_log(problem)
    except OSError as full:
        return f"{told}, which nobody expected, and no log could be written ({full}); --debug shows the traceback"
    return f"{told}, which nobody expected; its log is {log}; {REPORT_IT}"


def _write_log(problem: BaseException) -> str:
    told = [
        f"chatbench {version('chatbench')}, Python {platform.python_version()}, {platform.platform()}\n",
        f"command: {sys.argv}\n\n",
        *traceback.format_exception(problem),
        *library_logs.waiting(),
    ]
    with tempfile.NamedTemporaryFile(
        "w", prefix=LOG_PREFIX, suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as log:
        log.writelines(CREDENTIALS.sub("...@", line) for line in told)
    return log.name


def is_mistake(problem: BaseException) -> bool:
    """Whether a program is at fault: what clients of a backend raise has a class of its own, or is an OSError."""
    return type(problem).__module__ == "builtins" and not isinstance(problem, OSError)


def run_child(main: Callable[[], None]) -> None:
    """The main of a child, whose stderr is its log: the last line of it is what its parent tells the user."""
    try:
        main()
    except Exception as problem:  # noqa: BLE001 - the outermost
        traceback.print_exc()
        sys.stderr.write(f"{where(problem)}\n")
        sys.exit(ExitCode.UNEXPECTED if is_mistake(problem) else 1)
