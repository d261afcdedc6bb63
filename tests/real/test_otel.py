"""A real run whose messages and figures go to an OTLP endpoint, and one whose endpoint is not there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest

from chatbench import read_messages
from harness.core.units import parse_utc
from tests.otlp import attributes, collector
from tests.real.runs import SHORT, chatbench, run

LOAD = ["--arch", "redis", "--members", "20", "--rate", "100"]


def test_the_spans_and_metrics_of_a_run_are_those_of_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=only-for-the-collector")
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        summary = run(tmp_path, *LOAD, "--otel")
    folder: Path = summary["folder"]
    ways, messages = pd.read_parquet(folder / "stages.parquet"), read_messages(folder)

    roots = {span.span_id: span for span in received.spans if not span.parent_span_id}
    assert len(roots) == len(ways) == summary["stages"]["messages"] > 0
    start_ns = parse_utc(summary["measured_from_utc"])
    heard = {
        (start_ns + due_ns, start_ns + last_ns, room, heard_by)
        for due_ns, last_ns, room, heard_by in messages[
            ["intended_ns", "last_heard_ns", "room", "heard_by"]
        ].itertuples(index=False)
    }
    lengths = []
    for root in roots.values():
        about = attributes(root.attributes)
        of_message = (about["messaging.destination.name"], about["chatbench.message.heard_by"])
        assert (root.start_time_unix_nano, root.end_time_unix_nano, *of_message) in heard
        lengths.append(root.end_time_unix_nano - root.start_time_unix_nano)
    assert lengths == ways["total_ns"].tolist()

    stages: dict[str, list[int]] = {}
    for span in received.spans:
        if span.parent_span_id and span.name != "accepting":
            assert roots[span.parent_span_id].trace_id == span.trace_id
            stages.setdefault(span.name, []).append(int(attributes(span.attributes)["chatbench.stage.duration_ns"]))  # type: ignore[call-overload]  # an int
    assert list(stages) == list(summary["stages"]["typical_ms"])
    assert stages == {name: ways[f"{name}_ns"].tolist() for name in stages}

    assert received.values("chatbench.latency") == {k: v for k, v in summary["latency_ms"].items() if v is not None}
    assert received.values("chatbench.cores_used") == summary["cores_used"]
    assert received.values("chatbench.delivered") == {"": summary["delivered"]}
    (resource,) = {msgspec.json.encode(each, order="sorted") for each in received.resources}
    assert msgspec.json.decode(resource)["chatbench.run.id"] == folder.name
    assert {headers["x-key"] for headers in received.headers} == {"only-for-the-collector"}
    written = [file for file in folder.rglob("*") if file.is_file() and b"only-for-the-" in file.read_bytes()]
    assert written == [], "a record has no secrets"


def test_an_endpoint_that_is_not_there_leaves_a_whole_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    answer = chatbench("run", "--json", "--no-report", "--otel", "--out", str(tmp_path), *SHORT, *LOAD)
    assert answer.returncode == 3
    summary = msgspec.json.decode(answer.stdout)
    assert summary["status"] == "complete"
    (folder,) = tmp_path.iterdir()
    assert msgspec.json.decode((folder / "summary.json").read_bytes()) == summary
    assert answer.stderr.splitlines()[-1].startswith("chatbench: the OTLP endpoint http://127.0.0.1:1 did not take")
    assert "opentelemetry" not in answer.stderr.lower()
