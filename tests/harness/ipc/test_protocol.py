"""Checkouts whose messages differ can be told apart, although their versions are the same."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from harness.ipc import messages as msg


class Assembled(msg.Struct, frozen=True):
    """Another text, which makes no difference."""

    version: str
    sources: dict[str, str]
    protocol: str = ""


class WithField(Assembled, frozen=True, tag="Assembled"):
    more: int = 0


class Row(msgspec.Struct, frozen=True, array_like=True):
    first: int
    second: int


class LongerRow(msgspec.Struct, frozen=True, array_like=True):
    first: int
    between: int
    second: int


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    msg.protocol.cache_clear()
    yield
    msg.protocol.cache_clear()


def protocol_with(monkeypatch: pytest.MonkeyPatch, answers: object) -> str:
    monkeypatch.setattr(msg, "FromMemberPool", answers)
    msg.protocol.cache_clear()
    return msg.protocol()


def test_the_protocol_changes_with_the_fields_and_not_with_the_prose(monkeypatch: pytest.MonkeyPatch) -> None:
    before = protocol_with(monkeypatch, msg.Assembled)
    assert protocol_with(monkeypatch, Assembled) == before
    assert protocol_with(monkeypatch, WithField) != before


def test_the_protocol_changes_with_the_length_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, longer = (msgspec.defstruct("Report", [("rows", list[row])], tag=True) for row in (Row, LongerRow))  # type: ignore[valid-type]  # made here
    assert protocol_with(monkeypatch, rows) != protocol_with(monkeypatch, longer)
