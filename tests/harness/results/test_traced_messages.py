"""The traced messages of a record, with the moments of their stages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.core.errors import UsageError
from harness.core.units import parse_utc
from harness.ipc.messages import KindResult
from harness.ledger.message_times import COLUMNS, NEVER, MessageTimes
from harness.ledger.reports import message_id
from harness.ledger.stages import Way, stages_of
from harness.results.traced_messages import traced_messages
from harness.runs.messages_file import MESSAGES_FILE, messages_parquet
from harness.runs.record import read_summary
from harness.runs.stages_file import STAGES_FILE, stages_parquet
from harness.runs.summary import Summary
from tests.harness.report.records import write_record

BEGAN = "2026-11-28T20:13:03.491175+00:00"
KINDS = [
    KindResult(member="Viewer", name="chat", sent=3, acked=3, expected=3, delivered=3, lost=0, latency=b"", ack=b"")
]


def way(sender: int, sequence: int, due_ns: int, lengths_ns: dict[str, int], accepting_ns: int | None = 7) -> Way:
    usual = {"sending": 5, "to_gateway": 10, "backend": 20, "waiting": 5, "fan_out": 10, "to_member": 20}
    stages_ns = {**usual, **lengths_ns}
    return Way(
        identity=message_id(sender, sequence),
        room="the lobby",
        intended_ns=due_ns,
        gateway=1,
        total_ns=sum(stages_ns.values()),
        stages_ns=stages_ns,
        accepting_ns=accepting_ns,
    )


def write_traced(out: Path, ways: list[Way], *rows: tuple[int, int, int, int, int, int, int, int]) -> Path:
    """A record with these messages, as COLUMNS has them, and these ways."""
    record = write_record(out, "redis")
    times = MessageTimes(["lobby", "café"], np.array(rows, dtype=np.int64).T.tobytes())
    assert len(COLUMNS) == len(rows[0])
    (record / MESSAGES_FILE).write_bytes(messages_parquet(times, KINDS))
    (record / STAGES_FILE).write_bytes(stages_parquet(ways))
    summary = msgspec.structs.replace(read_summary(record), measured_from_utc=BEGAN, stages=stages_of(ways))
    (record / "summary.json").write_bytes(msgspec.json.encode(summary))
    return record


def write_two(out: Path) -> Path:
    """A record of four messages, of which two of the same sender are traced."""
    return write_traced(
        out,
        [way(3, 1, 110, {}), way(3, 2, 400, {"fan_out": 20, "to_member": 10}, accepting_ns=None)],
        (0, message_id(2, 1), 100, 105, 200, 150, 170, 4),
        (1, message_id(3, 1), 110, 115, 150, 160, 180, 5),
        (0, message_id(3, 2), 400, 405, NEVER, 440, 470, 6),
        (0, message_id(3, 3), 500, 505, NEVER, NEVER, NEVER, 0),
    )


def test_a_message_has_the_moments_of_its_stages_since_the_epoch(tmp_path: Path) -> None:
    record = write_two(tmp_path)
    first, second = traced_messages(record, read_summary(record)) or []
    start_ns = parse_utc(BEGAN)
    assert start_ns % 1_000_000_000 == 491_175_000
    assert (first.room, first.kind, first.member_class, first.sender) == ("café", "chat", "Viewer", 3)
    assert (first.heard_by, first.gateway, first.accepting_ns) == (5, 1, 7)
    assert [first.due_ns, first.acked_ns, first.first_heard_ns, first.last_heard_ns] == [
        start_ns + at_ns for at_ns in (110, 150, 160, 180)
    ]
    assert list(first.stages_ns) == ["sending", "to_gateway", "backend", "waiting", "fan_out", "to_member"]
    assert first.due_ns + sum(first.stages_ns.values()) == first.last_heard_ns
    assert (second.due_ns, second.room, second.acked_ns, second.accepting_ns) == (start_ns + 400, "lobby", None, None)


def test_a_message_has_all_its_stages_also_those_that_the_summary_of_an_older_version_lacks(tmp_path: Path) -> None:
    record = write_traced(
        tmp_path,
        [way(3, 1, 110, {}), way(4, 1, 600, {"relayed": 100})],
        (0, message_id(3, 1), 110, 115, 150, 160, 180, 5),
        (0, message_id(4, 1), 600, 605, NEVER, 700, 770, 6),
    )
    summary = read_summary(record)
    assert summary.stages is not None
    typical_ms = {name: each_ms for name, each_ms in summary.stages.typical_ms.items() if name != "relayed"}
    older = msgspec.structs.replace(summary.stages, typical_ms=typical_ms)
    usual, slow = traced_messages(record, msgspec.structs.replace(summary, stages=older)) or []
    assert list(usual.stages_ns) == list(typical_ms)
    assert list(slow.stages_ns) == ["sending", "to_gateway", "backend", "relayed", "waiting", "fan_out", "to_member"]
    for message in (usual, slow):
        assert sum(message.stages_ns.values()) == message.last_heard_ns - message.due_ns


def test_a_record_that_traced_nothing_has_no_traced_messages(tmp_path: Path) -> None:
    record = write_record(tmp_path, "redis")
    summary = read_summary(record)
    assert summary.measured_from_utc is None, "as in records of older versions"
    assert traced_messages(record, summary) is None
    assert traced_messages(record, msgspec.structs.replace(summary, measured_from_utc=BEGAN, stages=None)) is None


@pytest.mark.parametrize("name", [MESSAGES_FILE, STAGES_FILE])
@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing more"])
def test_a_file_that_is_missing_or_cut_is_an_error_that_names_it(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    record = write_two(tmp_path)
    (record / name).unlink()
    if content is not None:
        (record / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        traced_messages(record, read_summary(record))


def test_ways_of_other_messages_are_an_error(tmp_path: Path) -> None:
    record = write_two(tmp_path)
    (record / STAGES_FILE).write_bytes(stages_parquet([way(9, 1, 110, {})]))
    with pytest.raises(UsageError, match=rf"{STAGES_FILE}.*a message that {MESSAGES_FILE} has not"):
        traced_messages(record, read_summary(record))


def test_a_beginning_that_is_no_time_is_an_error(tmp_path: Path) -> None:
    record = write_two(tmp_path)
    summary: Summary = msgspec.structs.replace(read_summary(record), measured_from_utc="yesterday")
    with pytest.raises(UsageError, match=r"summary\.json"):
        traced_messages(record, summary)
