"""Send records to an OTLP endpoint, over HTTP with protobuf: traced messages as spans, figures as metrics.

The endpoint, its headers, certificates and timeout are those of OpenTelemetry's standard variables, which the SDK reads
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, ...). With
OTEL_TRACES_EXPORTER=none or OTEL_METRICS_EXPORTER=none, spans or metrics are left out.

Everything comes from the records, after the runs: no run has anything to do with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from harness.core.errors import ServiceFailed
from harness.core.escapes import is_plain
from harness.core.units import parse_utc
from harness.report.otel_metrics import metrics_of
from harness.report.otel_spans import spans_of
from harness.results.frames import RunRecord
from harness.results.reading import OnUnreadable, refuse
from harness.results.traced_messages import traced_messages

START = "start a collector there, or set OTEL_EXPORTER_OTLP_ENDPOINT"
GRPC_PORT = ":4317"
OVER_HTTP = "set OTEL_EXPORTER_OTLP_ENDPOINT to the port of OTLP over HTTP, 4318 (4317 is that of gRPC)"
MOVED = "set OTEL_EXPORTER_OTLP_ENDPOINT to where it redirects"
LOG_IN = "set OTEL_EXPORTER_OTLP_HEADERS"
LEAVE_OUT = "set OTEL_TRACES_EXPORTER=none or OTEL_METRICS_EXPORTER=none for what it does not take"
REASON_MAX = 200  # characters of what an endpoint says
# What to do about an answer, by its HTTP status.
REMEDIES = {401: LOG_IN, 403: LOG_IN, 404: LEAVE_OUT, 405: LEAVE_OUT, 501: LEAVE_OUT}
# What to do about a request without an answer, the most specific error first. The errors' own texts may show what is
# secret in the address.
NOT_A_URL = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
PROBLEMS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (requests.exceptions.Timeout, "no answer in time", START),
    (NOT_A_URL, "not a URL", "set OTEL_EXPORTER_OTLP_ENDPOINT to one such as http://localhost:4318"),
    (requests.exceptions.SSLError, "no trust in its certificate", "set OTEL_EXPORTER_OTLP_CERTIFICATE"),
    (requests.exceptions.ConnectionError, "no connection", START),
    ((requests.exceptions.InvalidHeader, UnicodeError), "a header is not valid", LOG_IN),
    (requests.RequestException, "no valid answer", START),
    (OSError, "no certificate there", "set OTEL_EXPORTER_OTLP_CERTIFICATE to a file"),
    (ValueError, "a setting is not valid", "correct the variables OTEL_EXPORTER_OTLP_..."),
)


class Sent(msgspec.Struct, frozen=True):
    """What the endpoint has taken."""

    traces: int  # one a message
    metrics: int  # data points
    to: str  # the endpoint, without anything secret


def send(records: Sequence[RunRecord], on_unreadable: OnUnreadable = refuse) -> Sent:
    """Send all these records; what a file of one would have told is left out if `on_unreadable` returns.

    Raises ServiceFailed if the endpoint does not take all of it, and UsageError if one of the variables is not valid.
    """
    traces = metrics = 0
    session = _Session()
    with _quiet(), contextlib.closing(session):
        for record in records:
            resource = resource_of(record)
            if _wanted("TRACES"):
                traces += _send_spans(record, resource, session, on_unreadable)
            if _wanted("METRICS"):
                metrics += _send_metrics(record, resource, session, on_unreadable)
    if session.rejected:
        raise ServiceFailed(
            f"the OTLP endpoint {session.to} did not take {session.rejected:,} of the spans and data points "
            f"({session.why_rejected}); look there for the reason"
        )
    return Sent(traces, metrics, session.to)


def resource_of(record: RunRecord) -> Resource:
    """What all spans and metrics of a run have in common; OTEL_RESOURCE_ATTRIBUTES adds to it."""
    settings, summary = record.manifest.settings, record.summary
    named = SERVICE_NAME in OTELResourceDetector().detect().attributes
    return Resource.create(
        {
            **({} if named else {SERVICE_NAME: "chatbench"}),
            "service.version": record.manifest.chatbench,
            "service.instance.id": _run_id(record),  # so that two runs' metrics are two time series
            "chatbench.run.id": _run_id(record),
            "chatbench.run.status": summary.status,
            "chatbench.architecture": summary.arch,
            "chatbench.scenario": summary.scenario,
            "chatbench.members": summary.members,
            "chatbench.gateways": summary.gateways,
            "chatbench.rate": settings.rate_per_s,
            "chatbench.payload": settings.payload_bytes,  # a record does not have the size of each message
        }
    )


def _wanted(signal: str) -> bool:
    return os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() != "none"


def _send_spans(record: RunRecord, resource: Resource, session: _Session, on_unreadable: OnUnreadable) -> int:
    messages = traced_messages(record.folder, record.summary, on_unreadable) or []
    errors_ms = {} if record.summary.stages is None else record.summary.stages.error_ms
    exporter = OTLPSpanExporter(session=session)
    traces = 0
    for spans in spans_of(messages, errors_ms, resource, _run_id(record), record.manifest.chatbench):
        _check(exporter.export(spans) is SpanExportResult.SUCCESS, "spans", session)
        _note_rejected(ExportTraceServiceResponse(), session)
        traces += sum(span.parent is None for span in spans)
    return traces


def _send_metrics(record: RunRecord, resource: Resource, session: _Session, on_unreadable: OnUnreadable) -> int:
    if (start_ns := _start_ns(record, on_unreadable)) is None:
        return 0
    end_ns = start_ns + round((record.summary.duration_s or 0) * 1e9)
    data = metrics_of(record.summary, resource, record.manifest.chatbench, end_ns)
    exporter = OTLPMetricExporter(session=session)
    _check(exporter.export(data) is MetricExportResult.SUCCESS, "metrics", session)
    _note_rejected(ExportMetricsServiceResponse(), session)
    (of_run,) = data.resource_metrics
    return sum(len(metric.data.data_points) for scope in of_run.scope_metrics for metric in scope.metrics)


def _run_id(record: RunRecord) -> str:
    return record.folder.resolve().name


def _start_ns(record: RunRecord, on_unreadable: OnUnreadable) -> int | None:
    """When the measurement began; of an older record, when the run did. None: that cannot be read."""
    try:
        return parse_utc(record.summary.measured_from_utc or record.manifest.started_utc)
    except ValueError as problem:
        on_unreadable(
            record.folder / ("summary.json" if record.summary.measured_from_utc else "manifest.json"), problem
        )
        return None


def _check(is_success: bool, what: str, session: _Session) -> None:
    """Raise ServiceFailed if the last request was in vain. To the exporters, a redirect is a success as well."""
    if not (is_success and session.is_taken):
        remedy = OVER_HTTP if session.remedy == START and session.to.endswith(GRPC_PORT) else session.remedy
        raise ServiceFailed(f"the OTLP endpoint {session.to} did not take the {what} ({session.problem}); {remedy}")


def _note_rejected(answer: ExportTraceServiceResponse | ExportMetricsServiceResponse, session: _Session) -> None:
    """Note what the endpoint has rejected of a request that it has otherwise taken; `answer` is an empty one."""
    with contextlib.suppress(DecodeError):  # it should be protobuf, and this is none
        answer.ParseFromString(session.content)
        partial, is_of_spans = answer.partial_success, isinstance(answer, ExportTraceServiceResponse)
        if rejected := partial.rejected_spans if is_of_spans else partial.rejected_data_points:
            session.rejected += rejected
            said = "".join(filter(is_plain, " ".join(partial.error_message.split())))
            session.why_rejected = said[:REASON_MAX] or "without a reason"


class _Session(requests.Session):
    """Remembers what became of the last request, which the exporters tell only in their log."""

    to, problem, remedy = "", "nothing was sent", START
    is_taken, content = False, b""
    rejected, why_rejected = 0, ""  # of all requests

    def request(self, method: str, url: str | bytes, *args: Any, **given: Any) -> requests.Response:
        self.to, self.is_taken, self.content = _shown(url if isinstance(url, str) else url.decode()), False, b""
        # Only if it is given here, OTEL_EXPORTER_OTLP_CERTIFICATE takes precedence over REQUESTS_CA_BUNDLE.
        given.setdefault("verify", self.verify)
        try:
            if given.get("timeout") == 0:  # to requests that is a wrong value; the exporter has no time left
                raise requests.exceptions.Timeout
            answer = super().request(method, url, *args, **given)
        except (ValueError, OSError) as error:
            self.problem, self.remedy = next(rest for kind, *rest in PROBLEMS if isinstance(error, kind))
            raise
        self.problem = f"{answer.status_code} {answer.reason}"
        self.remedy = MOVED if answer.is_redirect else REMEDIES.get(answer.status_code, START)
        self.is_taken = 200 <= answer.status_code < 300
        self.content = answer.content if "protobuf" in answer.headers.get("Content-Type", "") else b""
        return answer


def _shown(url: str) -> str:
    """The host in the URL, without a login: that, the path and the query may be secret."""
    with contextlib.suppress(ValueError):  # it is not a URL
        if (parts := urlsplit(url)).netloc:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "that is set"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what OpenTelemetry logs out of logs and terminal: it may show headers, and `_check` says what went wrong."""
    logger = logging.getLogger("opentelemetry")
    nowhere = logging.NullHandler()
    logger.addHandler(nowhere)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(nowhere)
