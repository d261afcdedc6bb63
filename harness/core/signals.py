"""How signals end a run: with one exception in the main thread, and never in the middle of the clean-up."""

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

# The signals that would otherwise end this process without a clean-up. Signals for errors of the process itself
# (SIGSEGV, SIGABRT ...) are not included, and SIGALRM has another use below.
ENDING: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name)
    for name in (
        *("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGVTALRM", "SIGPROF"),
        *("SIGIO", "SIGPWR", "SIGSTKFLT"),  # not on every system
    )
    if hasattr(signal, name)
)
ALWAYS = (signal.SIGINT, signal.SIGTERM)
AGAIN_S = 0.25


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A handler runs wherever the main thread happens to be. In a destructor (of a socket, say) Python prints the
    # exception and drops it, and the signal would be lost: so raise it again until it has been handled.
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    raise Interrupted


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    # A signal that the parent process has set to be ignored stays ignored, such as SIGHUP under nohup.
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
    """Make signals raise Interrupted in the main thread while the context is entered, except within signals_wait."""
    previous_hook, sys.unraisablehook = sys.unraisablehook, _report_dropped
    with _handled_by(_interrupt):
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = previous_hook


def _report_dropped(dropped: UnraisableHookArgs) -> None:
    if dropped.exc_type is not Interrupted:  # _interrupt raises that again
        sys.__unraisablehook__(dropped)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Ignore signals while the context is entered, for work that takes a few seconds at most."""
    with _handled_by(signal.SIG_IGN):
        signal.setitimer(signal.ITIMER_REAL, 0)
        yield
