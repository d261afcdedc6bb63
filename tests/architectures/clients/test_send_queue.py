"""Every message in a send queue gets an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from architectures.clients.send_queue import SendQueue
from architectures.interface import Rejected


def test_whatever_goes_wrong_nobody_waits_for_ever_and_what_comes_later_is_sent() -> None:
    problems: list[BaseException] = []
    sent: list[str] = []

    async def hand_over(items: Sequence[str]) -> list[Rejected | None]:
        if "bad" in items:
            raise RuntimeError("the handler is closed")
        sent.extend(items)
        return [None] * len(items)

    async def scenario() -> None:
        in_turn: SendQueue[str] = SendQueue("Redis", hand_over, problems.append)
        with pytest.raises(Rejected, match="Redis did not accept the message: the handler is closed"):
            await in_turn.send("bad")
        first, second = in_turn.put("one"), in_turn.put("two")
        await asyncio.gather(second, first)
        await in_turn.close()

    asyncio.run(scenario())
    assert [str(problem) for problem in problems] == ["the handler is closed"]
    assert sent == ["one", "two"]
