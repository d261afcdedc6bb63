from __future__ import annotations

import logging

import pytest

from harness.gateway.bounded_log import RECORD_MAX_CHARS, RECORDS_BURST, BoundedHandler


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.Logger("bounded")
    logger.addHandler(BoundedHandler())
    return logger


def test_a_flood_of_records_writes_a_burst_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_s = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock_s)
    logger = logging.Logger("bounded")
    logger.addHandler(BoundedHandler())
    for number in range(10_000):
        logger.error("number %d", number)
    assert len(capsys.readouterr().err.splitlines()) == RECORDS_BURST
    clock_s += 10
    logger.error("one more")
    told = capsys.readouterr().err
    assert f"({10_000 - RECORDS_BURST} records left out" in told
    assert "one more" in told


def test_a_long_record_is_cut(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logger.error("x" * 1_000_000)
    assert len(capsys.readouterr().err) < RECORD_MAX_CHARS + 100
