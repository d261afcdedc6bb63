"""messages.parquet."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from harness.ipc.messages import KindResult
from harness.ledger.message_times import NEVER, MessageTimes
from harness.ledger.reports import message_id
from harness.runs.messages_file import COLUMNS, messages_parquet


def kind(member: str, name: str) -> KindResult:
    counts = dict.fromkeys(("sent", "acked", "expected", "delivered", "lost"), 0)
    return KindResult(member=member, name=name, latency=b"", ack=b"", **counts)


def test_each_message_has_its_room_class_kind_sender_and_moments() -> None:
    rows = [
        [1, message_id(3, 0, 1), 10, 20, 30, 40, 50, 2],
        [0, message_id(4, 1, 0), 60, 70, NEVER, NEVER, NEVER, 0],
    ]
    times = MessageTimes(["quiet", "busy"], np.array(rows, dtype=np.int64).T.tobytes())
    frame = pd.read_parquet(io.BytesIO(messages_parquet(times, [kind("Viewer", "chat"), kind("Host", "gift")])))
    assert tuple(frame.columns) == COLUMNS
    assert frame[["room", "member_class", "kind", "sender", "heard_by"]].to_numpy().tolist() == [
        ["busy", "Host", "gift", 3, 2],
        ["quiet", "Viewer", "chat", 4, 0],
    ]
    assert frame["last_heard_ns"].tolist()[0] == 50
    assert frame["acked_ns"].isna().tolist() == [False, True]


def test_two_hundred_thousand_messages_take_a_few_megabytes() -> None:
    random, count = np.random.default_rng(1), 200_000
    intended = np.sort(random.integers(0, 10**10, count))
    lateness = random.integers(0, 10**6, count)
    latency = random.lognormal(15, 1, (3, count)).astype(np.int64).cumsum(axis=0)
    identity = random.integers(0, 1_000, count) << 35
    heard = intended + lateness + latency
    table = np.stack(
        [random.integers(0, 50, count), identity, intended, intended + lateness, *heard, np.full(count, 50)]
    )
    times = MessageTimes([f"room-{number}" for number in range(50)], table.astype(np.int64).tobytes())
    assert len(messages_parquet(times, [kind("Viewer", "chat")])) < 5_000_000
