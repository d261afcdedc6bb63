"""The expected values of the self-test are correct themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from architectures.faulty import Faulty
from architectures.interface import BadTopology, Delivery, Rejected, Services, Topology
from harness.audience.history import History
from harness.experiments.selftest import Fates, fates, stall_chance_ms, stalled_ms
from harness.ledger.judge import judge

EVERY = st.integers(2, 12).map(float)


def heard_and_acked(said: int, rules: dict[str, float]) -> tuple[list[int], set[int]]:
    """What `faulty` itself does with so many messages of one sender."""
    heard: list[int] = []
    acked: set[int] = set()

    def deliver(batch: Sequence[Delivery]) -> None:
        heard.extend(json.loads(payload)["id"] for _room, payload in batch)

    async def speak() -> None:
        faulty = Faulty(Services(), Topology(run_id="r", gateways=1, options=rules), gateway=0)
        await faulty.open(deliver, lambda _problem: None, lambda _rooms: None)
        for number in range(1, said + 1):
            try:
                await faulty.publish("r", json.dumps({"id": number}).encode())
            except Rejected:
                continue
            acked.add(number)
        await asyncio.sleep(0.25)  # who waits for a next one is delivered without
        await faulty.close()

    asyncio.run(speak())
    return heard, acked


@pytest.mark.slow
@settings(max_examples=25)
@given(said=st.integers(0, 150), drop=EVERY, repeat=EVERY, swap=EVERY, refuse=EVERY)
def test_the_truth_is_what_faulty_does_and_what_the_ledger_finds(
    said: int, drop: float, repeat: float, swap: float, refuse: float
) -> None:
    rules = {"drop_every": drop, "repeat_every": repeat, "swap_every": swap, "refuse_every": refuse}
    heard, acked = heard_and_acked(said, rules)
    history = History()
    stay = history.enter("r", "g", 0)
    messages = {number: history.say(number, "r", number, number) for number in range(1, said + 1)}
    for number in acked:
        history.ack(messages[number], 1000)
    for number in heard:
        stay.hear((messages[number],))
    verdict = judge(history.report()).verdict
    truth = fates(said, rules)
    assert truth == Fates(**{name: getattr(verdict, name) for name in truth.__struct_fields__})


def test_a_stall_is_felt_by_all_who_wanted_to_speak_meanwhile() -> None:
    # 4,000 messages at 400 a second, 200 of them during 500 ms: the worst 1 % are those of the first 100 ms.
    assert stalled_ms(99, 4000, 400, 500) == pytest.approx(400)
    assert stalled_ms(99.9, 4000, 400, 500) == pytest.approx(490)
    assert stalled_ms(90, 4000, 400, 500) == 0
    assert stall_chance_ms(99, 4000, 400) == pytest.approx(47.4, abs=0.1)


@pytest.mark.parametrize("options", [{"drop_every": -1.0}, {"swap_every": 1.0}, {"delay_ms": float("nan")}])
def test_faults_that_cannot_be_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(BadTopology, match="--arch-set"):
        Faulty.check(Topology(run_id="r", gateways=1, options=options))
