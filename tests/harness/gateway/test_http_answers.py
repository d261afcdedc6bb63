"""What a gateway does when it is asked over plain HTTP to trace."""

from __future__ import annotations

import asyncio

import pytest

from architectures.direct import Direct
from architectures.interface import Services, not_traced
from harness.gateway import http_answers as answering
from harness.gateway.http_answers import http_answers
from harness.gateway.session import Hub
from tests.harness.gateway.test_redirect import settings


def hub_and_answers() -> tuple[Hub, answering.Answers]:
    here = settings(ports=(1,))
    architecture = Direct(Services(), here.topology, gateway=0)
    hub = Hub(here, architecture)
    return hub, http_answers(here, architecture, None, hub)


def test_tracing_ends_by_itself_when_nobody_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        hub, answers = hub_and_answers()
        answers["/trace"][1]({"one_in": ["2"], "for_s": ["0"]})
        assert hub.trace is not None
        await asyncio.sleep(0.05)  # later than the timer, whatever the machine does
        assert hub.trace is None
        assert hub.rooms.trace is None
        assert hub.architecture.mark is not_traced

    monkeypatch.setattr(answering, "TRACE_LONGER_S", 0.01)
    asyncio.run(scenario())


def test_a_run_that_asks_again_has_the_time_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        hub, answers = hub_and_answers()
        for for_s in ("0", "60"):
            answers["/trace"][1]({"one_in": ["2"], "for_s": [for_s]})
        await asyncio.sleep(0.05)
        assert hub.trace is not None

    monkeypatch.setattr(answering, "TRACE_LONGER_S", 0.01)
    asyncio.run(scenario())


def test_a_run_that_does_not_say_how_long_it_is_has_a_minute() -> None:
    async def scenario() -> None:
        hub, answers = hub_and_answers()
        answers["/trace"][1]({"one_in": ["2"]})
        assert hub.trace is not None
        answers["/trace"][1]({"one_in": ["0"]})
        assert hub.trace is None

    asyncio.run(scenario())
