from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from harness.core.errors import Interrupted
from harness.core.signals import ENDING, signals_interrupt, signals_wait


@pytest.fixture(autouse=True)
def nothing_is_ignored() -> Iterator[None]:
    """Whatever started these tests may ignore some, as a shell does for what runs in its background."""
    ignored = [number for number in ENDING if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


class Unlucky:
    """The signal arrives while this is being destroyed, where Python drops every exception."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_raises_interrupted(number: signal.Signals) -> None:
    with pytest.raises(Interrupted), signals_interrupt():
        os.kill(os.getpid(), number)
        time.sleep(10)


def test_a_signal_that_falls_into_a_destructor_is_not_lost_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Interrupted), signals_interrupt():
        Unlucky()
        time.sleep(10)
    assert capfd.readouterr() == ("", "")


def test_signals_wait_for_the_clearing_away() -> None:
    cleared = False
    with pytest.raises(Interrupted), signals_interrupt():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            with signals_wait():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.4)  # longer than the handler takes to raise again
                cleared = True
    assert cleared


def test_everything_is_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (*ENDING, signal.SIGALRM)]
    with pytest.raises(Interrupted), signals_interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    assert [signal.getsignal(number) for number in (*ENDING, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_our_parent_wants_ignored_stays_so() -> None:
    """SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
