"""A run in progress as OpenMetrics, to be watched with Prometheus (`--metrics`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from harness.core.addresses import host_port
from harness.core.callers import WRONG_NAME, Callers
from harness.core.errors import UsageError
from harness.ipc.messages import Second
from harness.ledger.judge import Verdict
from harness.services.ports import cannot_listen

LABELS = ("arch", "scenario")
VERDICTS = ("sent", "acked", "expected", "delivered", "lost", "lost_acked", "duplicated", "reordered")


class LiveMetrics:
    """The metrics of a run, second by second, and the verdict of its ledger."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._members = self._gauge("members", "Members who are in a room.")
        self._said = self._counter("said", "Messages the members have said, warm-ups included.")
        self._acked = self._counter("acked", "Of these, messages that were acked.")
        self._delivered = self._counter("delivered", "Deliveries that members have heard.")
        self._latency = self._gauge(
            "latency_seconds", "From the intended moment to a member's hearing, in the last second.", "quantile"
        )
        self._phase = self._gauge("phase", "1 for the phase that the load is in.", "phase")
        self._verdict = self._gauge("verdict", "What the ledger said of the last measurement.", "what")
        self._labels: tuple[str, ...] = ("", "")

    def _gauge(self, name: str, help_text: str, *more: str) -> Gauge:
        return Gauge(f"chatbench_driver_{name}", help_text, (*LABELS, *more), registry=self.registry)

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(f"chatbench_driver_{name}", help_text, LABELS, registry=self.registry)

    def begin(self, arch: str, scenario: str) -> None:
        """Label what follows with this run."""
        self._labels = (arch, scenario)

    def joined(self, members: int) -> None:
        self._members.labels(*self._labels).set(members)

    def second(self, news: Second) -> None:
        self._phase.clear()
        self._phase.labels(*self._labels, news.phase).set(1)
        self._said.labels(*self._labels).inc(news.said)
        self._acked.labels(*self._labels).inc(news.acked)
        self._delivered.labels(*self._labels).inc(news.delivered)
        self._latency.clear()  # a second in which nothing was heard has no latency
        for quantile, latency_ms in (
            ("0.5", news.latency_p50_ms),
            ("0.9", news.latency_p90_ms),
            ("0.99", news.latency_p99_ms),
            ("1", news.latency_max_ms),
        ):
            if latency_ms is not None:
                self._latency.labels(*self._labels, quantile).set(latency_ms / 1000)

    def verdict(self, verdict: Verdict) -> None:
        self._phase.clear()
        for what in VERDICTS:
            self._verdict.labels(*self._labels, what).set(getattr(verdict, what))


@contextlib.contextmanager
def watched(metrics: str | None, origins: Iterable[str] = ()) -> Iterator[LiveMetrics]:
    """A LiveMetrics, served as /metrics at that HOST:PORT unless it is None. Raises UsageError.

    `origins` are web pages that may read it, as for the web UI beside it.
    """
    watch = LiveMetrics()
    if metrics is None:
        yield watch
        return
    host, port = host_port("--metrics", metrics)
    if (why := cannot_listen(port, host)) is not None:
        raise UsageError(f"--metrics {metrics}: {why}")
    server, thread = start_http_server(port, host, registry=watch.registry)
    application = server.get_app()
    assert application is not None
    server.set_app(_for(Callers.of((host,), origins), application))
    try:
        yield watch
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _for(callers: Callers, application: WSGIApplication) -> WSGIApplication:
    """The application behind a check of the caller: otherwise any page in a browser on this host could read it."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        hosts, origins = ([environ[name]] if name in environ else [] for name in ("HTTP_HOST", "HTTP_ORIGIN"))
        if callers.hosts_allowed(hosts) and callers.origins_allowed(origins, hosts):
            return application(environ, start_response)
        status = HTTPStatus.FORBIDDEN
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain")])
        return [f"{WRONG_NAME}\n".encode()]

    return checked
