"""How signals end a run: once, in the main thread, and never halfway through the clearing away."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from harness.core.errors import Interrupted

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# Every signal that would end this process otherwise, and leave behind what it made. Those of a fault of the process
# itself (SIGSEGV, SIGABRT ...) are none of them, and SIGALRM has another use below.
ENDING: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name)
    for name in (
        *("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGVTALRM", "SIGPROF"),
        *("SIGIO", "SIGPWR", "SIGSTKFLT"),  # not everywhere
    )
    if hasattr(signal, name)
)
ALWAYS = (signal.SIGINT, signal.SIGTERM)
AGAIN_S = 0.25


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A handler runs wherever the main thread happens to be. In a destructor (a socket being collected, say) Python
    # prints the exception and drops it, and the signal would be lost: so raise again until somebody has taken it.
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    raise Interrupted


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    # What whoever started us has asked to ignore stays so, as SIGHUP under nohup.
    wanted = [number for number in ENDING if number in ALWAYS or signal.getsignal(number) is not signal.SIG_IGN]
    handled = [*wanted, signal.SIGALRM]
    before = [signal.signal(number, handler) for number in handled]
    try:
        yield
    finally:
        for number, previous in zip(handled, before, strict=True):
            signal.signal(number, previous)


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Inside it, a signal raises Interrupted in the main thread, until signals_wait is entered or this is left."""
    tell_of_dropped, sys.unraisablehook = sys.unraisablehook, _tell_of_dropped
    with _handled_by(_interrupt):
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = tell_of_dropped


def _tell_of_dropped(dropped: UnraisableHookArgs) -> None:
    if dropped.exc_type is not Interrupted:  # which comes again
        sys.__unraisablehook__(dropped)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Inside it, signals are ignored; for what takes seconds at most."""
    with _handled_by(signal.SIG_IGN):
        signal.setitimer(signal.ITIMER_REAL, 0)
        yield
