"""How SIGINT and SIGTERM end a run: once, in the main thread, and never halfway through the clearing away."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from harness.errors import Interrupted

ENDING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    before = [signal.signal(number, handler) for number in ENDING]
    try:
        yield
    finally:
        for number, previous in zip(ENDING, before, strict=True):
            signal.signal(number, previous)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def signals_interrupt() -> contextlib.AbstractContextManager[None]:
    """Inside it, a signal raises Interrupted in the main thread."""
    return _handled_by(_interrupt)


def signals_wait() -> contextlib.AbstractContextManager[None]:
    """Inside it, signals are ignored; for what takes seconds at most."""
    return _handled_by(signal.SIG_IGN)
