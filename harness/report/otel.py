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
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from harness.core.errors import ServiceFailed
from harness.core.units import parse_utc
from harness.report.otel_metrics import metrics_of
from harness.report.otel_spans import spans_of
from harness.results.frames import RunRecord
from harness.results.reading import refuse
from harness.results.traced_messages import traced_messages

START = "start a collector there, or set OTEL_EXPORTER_OTLP_ENDPOINT"
LOG_IN = "set OTEL_EXPORTER_OTLP_HEADERS"
LEAVE_OUT = "set OTEL_TRACES_EXPORTER=none or OTEL_METRICS_EXPORTER=none for what it does not take"
# What to do about an answer, by its HTTP status, and about a request that had none, the most specific error first.
# The errors' own texts may show what is secret in the address.
REMEDIES = {401: LOG_IN, 403: LOG_IN, 404: LEAVE_OUT, 405: LEAVE_OUT, 501: LEAVE_OUT}
PROBLEMS = (
    (requests.exceptions.Timeout, "no answer in time", START),
    (requests.exceptions.SSLError, "no trust in its certificate", "set OTEL_EXPORTER_OTLP_CERTIFICATE"),
    (requests.exceptions.ConnectionError, "no connection", START),
    (requests.exceptions.InvalidHeader, "a header is not valid", LOG_IN),
    (ValueError, "not a URL", "set OTEL_EXPORTER_OTLP_ENDPOINT to one such as http://localhost:4318"),
    (OSError, "no certificate there", "set OTEL_EXPORTER_OTLP_CERTIFICATE to a file"),
)


class Sent(msgspec.Struct, frozen=True):
    """What the endpoint has taken."""

    traces: int  # one a message
    metrics: int  # data points
    to: str  # the endpoint, without anything secret


def send(records: Sequence[RunRecord]) -> Sent:
    """Send all these records. Raises ServiceFailed if the endpoint does not take them, UsageError for a bad record."""
    traces = metrics = 0
    session = _Session()
    with _quiet(), contextlib.closing(session):
        for record in records:
            resource = resource_of(record)
            if _wanted("TRACES"):
                traces += _send_spans(record, resource, session)
            if _wanted("METRICS"):
                metrics += _send_metrics(record, resource, session)
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


def _send_spans(record: RunRecord, resource: Resource, session: _Session) -> int:
    messages = traced_messages(record.folder, record.summary) or []
    exporter = OTLPSpanExporter(session=session)
    traces = 0
    for spans in spans_of(messages, resource, _run_id(record), record.manifest.chatbench):
        _check(exporter.export(spans) is SpanExportResult.SUCCESS, "spans", session)
        traces += sum(span.parent is None for span in spans)
    return traces


def _send_metrics(record: RunRecord, resource: Resource, session: _Session) -> int:
    end_ns = _start_ns(record) + round((record.summary.duration_s or 0) * 1e9)
    data = metrics_of(record.summary, resource, record.manifest.chatbench, end_ns)
    exporter = OTLPMetricExporter(session=session)
    _check(exporter.export(data) is MetricExportResult.SUCCESS, "metrics", session)
    (of_run,) = data.resource_metrics
    return sum(len(metric.data.data_points) for scope in of_run.scope_metrics for metric in scope.metrics)


def _run_id(record: RunRecord) -> str:
    return record.folder.resolve().name


def _start_ns(record: RunRecord) -> int:
    """When the measurement began; of an older record, when the run did."""
    try:
        return parse_utc(record.summary.measured_from_utc or record.manifest.started_utc)
    except ValueError as problem:
        refuse(record.folder / ("summary.json" if record.summary.measured_from_utc else "manifest.json"), problem)
        raise


def _check(is_taken: bool, what: str, session: _Session) -> None:
    if not is_taken:
        raise ServiceFailed(
            f"the OTLP endpoint {session.to} did not take the {what} ({session.problem}); {session.remedy}"
        )


class _Session(requests.Session):
    """Remembers why a request was in vain, which the exporters tell only in their log."""

    to, problem, remedy = "", "nothing was sent", START

    def request(self, method: str, url: str | bytes, *args: Any, **given: Any) -> requests.Response:
        self.to = _shown(url if isinstance(url, str) else url.decode())
        try:
            answer = super().request(method, url, *args, **given)
        except (ValueError, OSError) as error:
            self.problem, self.remedy = next(rest for kind, *rest in PROBLEMS if isinstance(error, kind))
            raise
        self.problem = f"{answer.status_code} {answer.reason}"
        self.remedy = REMEDIES.get(answer.status_code, START)
        return answer


def _shown(url: str) -> str:
    """The host in the URL, without a login: that, the path and the query may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "that is set"


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
