"""Clocks of gateways on other hosts, compared with this host's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.measure import host_clock
from harness.measure.clock_offset import EXCHANGES, Exchange, Offset
from harness.services import gateway_clocks
from harness.services.gateway_clocks import GatewayClocks

URL = "ws://192.0.2.1:9001"


def answering(monkeypatch: pytest.MonkeyPatch, *answers: tuple[Exchange, str] | None) -> list[str]:
    """Give these answers, and return the addresses that were asked, as they come."""
    asked: list[str] = []
    told: Iterator[tuple[Exchange, str] | None] = iter(answers)

    def ask_time(url: str, _token: str | None, _timeout_s: float) -> tuple[Exchange, str] | None:
        asked.append(url)
        return next(told)

    monkeypatch.setattr(gateway_clocks, "ask_time", ask_time)
    monkeypatch.setattr(gateway_clocks, "PAUSE_S", 0.0)
    return asked


def ahead(by_ns: int, round_trip_ns: int) -> list[tuple[Exchange, str]]:
    slow = (Exchange(0, 5_000 + by_ns, 9_000), "another")
    return [(Exchange(0, round_trip_ns // 2 + by_ns, round_trip_ns), "another"), *[slow] * (EXCHANGES - 1)]


def test_the_offset_before_holds_until_it_was_measured_again_with_the_drift_in_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, *ahead(1_000, 20), *ahead(1_300, 40))
    clocks = GatewayClocks(None)
    assert clocks.compare(URL) == Offset(1_000, 10)
    assert clocks.compare(URL) == Offset(1_000, 320)


def test_a_gateway_on_this_hosts_clock_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, (Exchange(0, 700, 10), host_clock.identity()))
    assert GatewayClocks(None).compare(URL) == Offset()
    assert asked == [URL]


def test_a_gateway_that_does_not_tell_its_time_has_no_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, *ahead(1_000, 20)[:3], None)
    assert GatewayClocks(None).compare(URL) is None
