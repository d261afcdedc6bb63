"""The traced messages of a run as OpenTelemetry spans: a trace for each message, and in it a span for each stage.

The root span `say` lasts from the moment the message was due until its last recipient had heard it. The spans of the
stages follow each other within it, and `accepting` lies beside them. Attributes are named after OpenTelemetry's
conventions for messaging [1] where these have a name, and `chatbench.*` otherwise. To a member, the chat is the
messaging system and a room the destination. Whether Kafka or Redis carries the message, the resource says with the
architecture.

Starts and ends are the record's, not the time of the export: ns since the epoch by the coordinator's wall clock, as
harness.results.traced_messages explains.

[1] https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context

from harness.core.errors import UsageError
from harness.ledger.passages import SENDING, TO_GATEWAY
from harness.results.traced_messages import TracedMessage

SCOPE = "chatbench"
SAY = "say"  # as the chat's protocol calls it
ACCEPTING, LENGTH, ERROR = "accepting", "chatbench.stage.duration_ns", "chatbench.stage.error_ms"
MESSAGES_IN_BATCH = 64  # of eight spans or nine: about as many spans as the SDK sends at once, 512


class IdsOfRun(IdGenerator):
    """The same ids for the same record every time, so that a record that is sent twice is no more than once there."""

    def __init__(self, run: str) -> None:
        self._random = Random(run)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        return True


def spans_of(
    messages: Sequence[TracedMessage], errors_ms: Mapping[str, float], resource: Resource, run: str, version: str
) -> Iterator[Sequence[ReadableSpan]]:
    """Yield the spans of the messages of one run, which this version of chatbench measured, in batches for a request.

    `errors_ms` says how far off a stage may be, by the clocks of the hosts. The SDK's own variables count here as well:
    with OTEL_TRACES_SAMPLER there may be fewer spans. Raises UsageError if one of them is not valid.
    """
    kept = InMemorySpanExporter()
    try:
        provider = TracerProvider(resource=resource, id_generator=IdsOfRun(run), shutdown_on_exit=False)
    except ValueError as problem:  # which names the variable, such as OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT
        raise UsageError(str(problem)) from problem
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer(SCOPE, version)
    for begin in range(0, len(messages), MESSAGES_IN_BATCH):
        for message in messages[begin : begin + MESSAGES_IN_BATCH]:
            _trace(tracer, message, errors_ms)
        if spans := kept.get_finished_spans():
            yield spans
        kept.clear()


def _trace(tracer: Tracer, message: TracedMessage, errors_ms: Mapping[str, float]) -> None:
    root = tracer.start_span(
        SAY,
        Context(),
        kind=SpanKind.PRODUCER,
        attributes={
            "messaging.system": "chatbench",
            "messaging.operation.name": SAY,
            "messaging.operation.type": "send",
            "messaging.destination.name": message.room,
            "messaging.client.id": str(message.sender),
            "chatbench.message.class": message.member_class,
            "chatbench.message.kind": message.kind,
            "chatbench.message.heard_by": message.heard_by,
            "chatbench.gateway": message.gateway,
        },
        start_time=message.due_ns,
    )
    root.add_event("first heard", timestamp=message.first_heard_ns)
    if message.acked_ns is not None:
        root.add_event("ack received", timestamp=message.acked_ns)
    within = set_span_in_context(root, Context())
    moment_ns = message.due_ns
    for stage, length_ns in message.stages_ns.items():
        # A stage may end before it begins, which a span cannot: it is empty, and its attribute has the length. The last
        # one does if a recipient has read the message just before its gateway notes that it is written to all, and a
        # stage from host to host does if it is shorter than the error of the hosts' clocks.
        attributes = {LENGTH: length_ns, **({ERROR: errors_ms[stage]} if stage in errors_ms else {})}
        span = tracer.start_span(stage, within, start_time=moment_ns, attributes=attributes)
        span.end(moment_ns + max(0, length_ns))
        moment_ns += length_ns
    if message.accepting_ns is not None:
        received_ns = message.due_ns + message.stages_ns[SENDING] + message.stages_ns[TO_GATEWAY]
        tracer.start_span(ACCEPTING, within, start_time=received_ns).end(received_ns + max(0, message.accepting_ns))
    root.end(message.last_heard_ns)
