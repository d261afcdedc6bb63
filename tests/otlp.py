"""An OTLP/HTTP endpoint in this process, which keeps what it is sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What was received. `statuses` are the answers by path; what is not in it is accepted.

    `more_headers` are in every answer, and a request that is accepted is said to be so but for `rejected` spans.
    """

    def __init__(self, statuses: dict[str, int]) -> None:
        self.statuses = statuses
        self.more_headers: dict[str, str] = {}
        self.rejected = 0
        self.url = ""
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        self.resources: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> Message:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            for of_resource in traces.resource_spans:
                self.resources.append(attributes(of_resource.resource.attributes))
                self.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
            partial = ExportTracePartialSuccess(rejected_spans=self.rejected, error_message="too\x1b[31m old\n")
            return ExportTraceServiceResponse(partial_success=partial if self.rejected else None)
        metrics = ExportMetricsServiceRequest.FromString(body)
        for of_run in metrics.resource_metrics:
            self.resources.append(attributes(of_run.resource.attributes))
            self.metrics |= {metric.name: metric for scope in of_run.scope_metrics for metric in scope.metrics}
        return ExportMetricsServiceResponse()

    def values(self, name: str) -> dict[str, float]:
        """The values of a gauge by their only attribute; by "" where there is none."""
        points = self.metrics[name].gauge.data_points
        return {
            "".join(map(str, attributes(point.attributes).values())): getattr(point, str(point.WhichOneof("value")))
            for point in points
        }


def attributes(pairs: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in pairs:  # type: ignore[attr-defined]  # a repeated field, which has no type of its own
        assert isinstance(pair, KeyValue)
        found[pair.key] = getattr(pair.value, str(pair.value.WhichOneof("value")))
    return found


@contextmanager
def collector(statuses: dict[str, int] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """A collector on a free port of this host, for as long as the context lasts."""
    received = Collector(statuses or {})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = received.statuses.get(self.path, 200)
            answer = received.take(self.path, body).SerializeToString() if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            for name, value in received.more_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        received.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
