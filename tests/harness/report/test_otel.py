"""Records at an OTLP endpoint: what arrives there, and what is said if it does not."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from harness.core.errors import ServiceFailed, UsageError
from harness.core.units import parse_utc
from harness.ledger.stages import Stages
from harness.measure.validity import DriverVerdict
from harness.report.otel import Sent, send
from harness.report.otel_metrics import FIGURES
from harness.results.frames import read_records
from harness.results.reading import leaving_out
from harness.results.traced_messages import traced_messages
from harness.runs.messages_file import MESSAGES_FILE
from harness.runs.record import read_summary
from harness.runs.summary import GatewayFigures, Summary
from tests.harness.report.records import write_record
from tests.harness.results.test_traced_messages import BEGAN, way, write_traced, write_two
from tests.otlp import Collector, attributes, collector

CHATBENCH = [sys.executable, "-m", "harness.cli"]
STAGES = ["sending", "to_gateway", "backend", "waiting", "fan_out", "to_member"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        yield received


def send_folder(folder: Path) -> Sent:
    return send(read_records([folder]))


def test_a_message_is_a_trace_with_a_span_for_each_stage(tmp_path: Path, endpoint: Collector) -> None:
    record = write_two(tmp_path)
    assert send_folder(tmp_path).traces == 2
    first, second = traced_messages(record, read_summary(record)) or []
    roots = [span for span in endpoint.spans if not span.parent_span_id]
    assert [span.name for span in roots] == ["say", "say"]
    assert len({span.trace_id for span in endpoint.spans}) == 2
    for root, message in zip(roots, (first, second), strict=True):
        assert (root.start_time_unix_nano, root.end_time_unix_nano) == (message.due_ns, message.last_heard_ns)
        children = [span for span in endpoint.spans if span.parent_span_id == root.span_id]
        assert {span.trace_id for span in children} == {root.trace_id}
        stages = {span.name: span for span in children if span.name != "accepting"}
        assert list(stages) == STAGES
        moment_ns = message.due_ns
        for name, length_ns in message.stages_ns.items():
            assert stages[name].start_time_unix_nano == moment_ns
            moment_ns = stages[name].end_time_unix_nano
            assert moment_ns - stages[name].start_time_unix_nano == length_ns
        assert moment_ns == message.last_heard_ns
    beside = [span for span in endpoint.spans if span.name == "accepting"]
    assert [span.end_time_unix_nano - span.start_time_unix_nano for span in beside] == [7], "the other was not accepted"
    assert beside[0].start_time_unix_nano == first.due_ns + 15


def test_a_trace_says_whose_message_it_was(tmp_path: Path, endpoint: Collector) -> None:
    write_two(tmp_path)
    send_folder(tmp_path)
    root, other = (span for span in endpoint.spans if not span.parent_span_id)
    assert attributes(root.attributes) == {
        "messaging.system": "chatbench",
        "messaging.operation.name": "say",
        "messaging.operation.type": "send",
        "messaging.destination.name": "café",
        "messaging.client.id": "3",
        "chatbench.message.class": "Viewer",
        "chatbench.message.kind": "chat",
        "chatbench.message.heard_by": 5,
        "chatbench.gateway": 1,
    }
    start_ns = parse_utc(BEGAN)
    assert {event.name: event.time_unix_nano - start_ns for event in root.events} == {
        "first heard": 160,
        "ack received": 150,
    }
    assert [event.name for event in other.events] == ["first heard"]


def test_a_stage_that_ended_before_it_began_is_an_empty_span(tmp_path: Path, endpoint: Collector) -> None:
    lengths_ns = {"fan_out": 40, "to_member": -10}
    write_traced(tmp_path, [way(1, 1, 0, lengths_ns)], (0, 1 << 35 | 1 << 5, 0, 5, 50, 60, 70, 2))
    send_folder(tmp_path)
    spans = {span.name: span for span in endpoint.spans}
    last = spans["to_member"]
    assert last.start_time_unix_nano == last.end_time_unix_nano == spans["fan_out"].end_time_unix_nano
    assert attributes(last.attributes) == {"chatbench.stage.duration_ns": -10}
    assert spans["say"].end_time_unix_nano == parse_utc(BEGAN) + 70


def test_a_stage_from_host_to_host_has_the_error_of_their_clocks(tmp_path: Path, endpoint: Collector) -> None:
    record = write_two(tmp_path)
    summary = read_summary(record)
    assert summary.stages is not None
    by_two_clocks = msgspec.structs.replace(summary.stages, error_ms={"to_gateway": 0.25, "to_member": 0.5})
    (record / "summary.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(summary, stages=by_two_clocks)))
    send_folder(tmp_path)
    assert endpoint.values("chatbench.stage.error") == {"to_gateway": 0.25, "to_member": 0.5}
    of_stage = {span.name: attributes(span.attributes) for span in endpoint.spans if span.parent_span_id}
    assert of_stage["to_member"] == {"chatbench.stage.duration_ns": 10, "chatbench.stage.error_ms": 0.5}
    assert of_stage["fan_out"] == {"chatbench.stage.duration_ns": 20}, "by one clock"


def test_figures_are_gauges_with_units_and_the_time_of_its_end(tmp_path: Path, endpoint: Collector) -> None:
    record = write_two(tmp_path)
    summary = read_summary(record)
    sent = send_folder(tmp_path)
    assert sent.metrics == sum(len(metric.gauge.data_points) for metric in endpoint.metrics.values())
    assert endpoint.values("chatbench.latency") == msgspec.to_builtins(summary.latency_ms)
    assert endpoint.metrics["chatbench.latency"].unit == "ms"
    assert endpoint.values("chatbench.lost") == {"": 0}
    assert endpoint.values("chatbench.delivery_rate") == {"": summary.deliveries_per_s}
    assert endpoint.metrics["chatbench.delivery_rate"].unit == "{delivery}/s"
    assert endpoint.values("chatbench.cpu_per_delivery") == {"gateway": 10.0, "redis": 10.0, "driver": 10.0}
    assert summary.stages is not None
    assert endpoint.values("chatbench.stage.typical") == summary.stages.typical_ms
    assert {"chatbench.stage.slow", "chatbench.cores_used"}.isdisjoint(endpoint.metrics), "not measured"
    times = {point.time_unix_nano for metric in endpoint.metrics.values() for point in metric.gauge.data_points}
    assert times == {parse_utc(BEGAN) + 5_000_000_000}


def test_gateways_are_told_apart_by_their_places(tmp_path: Path, endpoint: Collector) -> None:
    first, killed = (
        GatewayFigures(members=5, deliveries=deliveries, wasted=0, bytes_to_members=0, cores_used=cores_used)
        for deliveries, cores_used in ((700, 0.25), (300, None))
    )
    write_record(tmp_path, "plan1", each_gateway=[first, killed])
    send_folder(tmp_path)
    assert endpoint.values("chatbench.gateway.cores_used") == {"0": 0.25}
    assert endpoint.values("chatbench.gateway.deliveries") == {"0": 700, "1": 300}


def test_every_figure_is_a_key_of_the_summary_and_has_a_name_of_its_own() -> None:
    inner = {"stages": Stages, "driver": DriverVerdict, "each_gateway": GatewayFigures}
    for figure in FIGURES:
        outer, _, key = figure.key.partition(".")
        assert outer in Summary.__struct_fields__
        assert not key or key in inner[outer].__struct_fields__
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_the_resource_names_the_run_and_the_standard_variables_add_to_it(
    tmp_path: Path, endpoint: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = write_two(tmp_path)
    send_folder(tmp_path)
    usual = endpoint.resources[-1]
    assert usual["service.name"] == "chatbench"
    assert usual["chatbench.run.id"] == usual["service.instance.id"] == record.name
    assert (usual["chatbench.architecture"], usual["chatbench.scenario"]) == ("redis", "big_room")
    assert usual["service.version"] == "0.1.0"
    assert (usual["chatbench.rate"], usual["chatbench.payload"]) == (20.0, 100)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=1234")
    send_folder(tmp_path)
    assert endpoint.resources[-1].items() >= {"service.name": "chat", "deployment.environment.name": "lab"}.items()
    assert endpoint.headers[-1]["x-key"] == "1234"


def test_a_record_has_the_same_ids_whenever_it_is_sent(tmp_path: Path, endpoint: Collector) -> None:
    write_two(tmp_path)
    send_folder(tmp_path)
    send_folder(tmp_path)
    ids = [(span.trace_id, span.span_id) for span in endpoint.spans]
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]
    assert len(set(ids)) == len(ids) // 2


def test_a_record_of_an_older_version_has_only_metrics(tmp_path: Path, endpoint: Collector) -> None:
    write_record(tmp_path, "plan1")
    assert send_folder(tmp_path).traces == 0
    assert endpoint.spans == []
    assert endpoint.values("chatbench.delivered") == {"": 1000}


@pytest.mark.parametrize(("signal", "left_out"), [("TRACES", "spans"), ("METRICS", "metrics")])
def test_a_signal_that_is_not_wanted_is_not_sent(
    signal: str, left_out: str, tmp_path: Path, endpoint: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    write_two(tmp_path)
    send_folder(tmp_path)
    assert {name for name in ("spans", "metrics") if not getattr(endpoint, name)} == {left_out}


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "OTEL_EXPORTER_OTLP_HEADERS"), (404, "OTEL_METRICS_EXPORTER=none"), (400, "collector")]
)
def test_an_endpoint_that_refuses_is_an_error_that_says_what_to_do(
    status: int, advice: str, tmp_path: Path, endpoint: Collector
) -> None:
    endpoint.statuses["/v1/metrics"] = status
    write_two(tmp_path)
    with pytest.raises(ServiceFailed, match=rf"{endpoint.url} did not take the metrics \({status} .*\); .*{advice}"):
        send_folder(tmp_path)
    assert endpoint.spans, "these were sent before"


def test_a_redirect_is_an_error_because_nobody_has_taken_anything(tmp_path: Path, endpoint: Collector) -> None:
    endpoint.statuses["/v1/traces"] = 308
    endpoint.more_headers["Location"] = "https://elsewhere.example/hidden"
    write_two(tmp_path)
    says = r"did not take the spans \(308 .*\); set OTEL_EXPORTER_OTLP_ENDPOINT to where it redirects$"
    with pytest.raises(ServiceFailed, match=says):
        send_folder(tmp_path)


def test_what_the_endpoint_rejects_of_a_request_is_an_error_when_all_is_sent(
    tmp_path: Path, endpoint: Collector
) -> None:
    endpoint.rejected = 3
    write_two(tmp_path)
    says = rf"{endpoint.url} did not take 3 of the spans and data points \(too\[31m old\); look there"
    with pytest.raises(ServiceFailed, match=says):
        send_folder(tmp_path)
    assert endpoint.metrics, "these were sent all the same"


def test_an_answer_that_cannot_be_read_is_an_error(tmp_path: Path, endpoint: Collector) -> None:
    endpoint.rejected = 3
    endpoint.more_headers["Content-Encoding"] = "gzip"
    write_two(tmp_path)
    with pytest.raises(ServiceFailed, match=r"the spans \(no valid answer\); start a collector"):
        send_folder(tmp_path)


@pytest.mark.parametrize("others", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_certificate_for_the_endpoint_takes_precedence_over_those_for_all_requests(
    others: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (trustme.CA() for _ in range(2))
    own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "own.pem"))
    monkeypatch.setenv(others, str(tmp_path / "other.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.issue_cert("127.0.0.1").configure_cert(tls)
    write_two(tmp_path / "records")
    with collector(tls=tls) as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        assert send_folder(tmp_path / "records").traces == 2


def test_a_header_that_no_request_can_have_is_an_error_that_says_so(
    tmp_path: Path, endpoint: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=%E2%82%AC")
    write_two(tmp_path)
    with pytest.raises(ServiceFailed, match=r"\(a header is not valid\); set OTEL_EXPORTER_OTLP_HEADERS"):
        send_folder(tmp_path)


def test_an_answer_for_which_there_is_no_time_is_an_error_that_says_so(
    tmp_path: Path, endpoint: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "-1")
    write_two(tmp_path)
    with pytest.raises(ServiceFailed, match=r"\(no answer in time\)"):
        send_folder(tmp_path)


def test_a_limit_that_is_not_a_number_is_an_error_that_names_it(
    tmp_path: Path, endpoint: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    write_two(tmp_path)
    with pytest.raises(UsageError, match=r"^OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be .* got many$"):
        send_folder(tmp_path)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://somebody:hidden@127.0.0.1:1/hidden?key=hidden", r"http://127\.0\.0\.1:1 did not .*no connection"),
        ("http://127.0.0.1:4317", "port of OTLP over HTTP, 4318"),
        ("http://[::1", r"that is set did not .*\(not a URL\); .* such as http://localhost:4318"),
        ("localhost:4318", "not a URL.* such as http://localhost:4318"),
        ("collector", "not a URL"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_an_error_without_a_secret_or_a_line_in_a_log(
    address: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "hidden, and no header")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    write_two(tmp_path)
    with caplog.at_level(logging.DEBUG, logger="opentelemetry"), pytest.raises(ServiceFailed, match=says) as caught:
        send_folder(tmp_path)
    assert "hidden" not in str(caught.value)
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_a_file_that_cannot_be_read_keeps_nothing_else_from_being_sent(tmp_path: Path, endpoint: Collector) -> None:
    cut, whole = (write_two(tmp_path) for _ in range(2))
    (cut / MESSAGES_FILE).write_bytes(b"PAR1")
    left_out: list[str] = []
    assert send(read_records([tmp_path]), leaving_out(left_out)).traces == 2
    (line,) = left_out
    assert str(cut / MESSAGES_FILE) in line
    assert {each["chatbench.run.id"] for each in endpoint.resources} == {cut.name, whole.name}, "the figures of both"


@pytest.mark.slow
def test_report_sends_records_that_are_there_already(tmp_path: Path, endpoint: Collector) -> None:
    write_two(tmp_path)
    answer = subprocess.run(
        [*CHATBENCH, "report", "--otel", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert f"otel: 2 traces and {sum(map(len, map(endpoint.values, endpoint.metrics)))} data points" in answer.stdout
    assert endpoint.url in answer.stdout


@pytest.mark.slow
def test_an_endpoint_that_is_gone_costs_a_report_its_exit_code_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    write_two(tmp_path)
    answer = subprocess.run(
        [*CHATBENCH, "report", "--json", "--otel", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 3
    assert (tmp_path / "report.html").exists()
    assert msgspec.json.decode(answer.stdout)["page"]
    (said,) = [line for line in answer.stderr.splitlines() if line != "otel: spans and metrics"]
    assert said.startswith("chatbench: the OTLP endpoint http://127.0.0.1:1 did not take the spans (no connection);")
    assert said.endswith(f"`chatbench report --otel {tmp_path}`")


@pytest.mark.parametrize("command", [["run", "--arch", "direct"], ["compare"], ["report", "."]])
def test_without_the_extra_it_is_refused_before_anything_is_measured(command: list[str], tmp_path: Path) -> None:
    program = "import sys; sys.modules['opentelemetry'] = None\nfrom harness.cli.main import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", program, *command, "--out", str(tmp_path / "out"), "--otel"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    (said,) = answer.stderr.splitlines()
    assert "pip install 'chatbench[otel]'" in said
    assert not (tmp_path / "out").exists()
