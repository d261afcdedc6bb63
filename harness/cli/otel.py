"""`--otel`: send what was measured to OpenTelemetry, when the measurement is over."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from harness.cli.console import console, run_progress, say
from harness.core.errors import ServiceFailed, UsageError

INSTALL = "pip install 'chatbench[otel]'"
OTEL = click.option(
    "--otel",
    is_flag=True,
    help="When all is measured, send traced messages as spans and the figures as metrics to an OTLP endpoint: "
    "OTEL_EXPORTER_OTLP_ENDPOINT, or else http://localhost:4318.",
)


def has_opentelemetry() -> bool:
    """Whether the extra is installed, without importing it."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.exporter.otlp.proto.http") is not None


def refuse_without_opentelemetry() -> None:
    """Raise UsageError if the extra is missing; call it before anything is measured."""
    if not has_opentelemetry():
        raise UsageError(
            f"--otel needs the packages of OpenTelemetry, which are not installed; {INSTALL} installs them"
        )


def send_to_opentelemetry(folders: Sequence[Path], *, as_json: bool) -> None:
    """Send every record in these folders and below them, and say what was sent. Raises as harness.report.otel.send."""
    from harness.report.otel import send
    from harness.results.frames import read_records

    with run_progress() as progress:
        progress.step("otel", "spans and metrics")
        try:
            sent = send(read_records(folders))
        except ServiceFailed as problem:
            again = " ".join(["chatbench report --otel", *map(str, folders)])
            raise ServiceFailed(f"{problem}, and then send what is recorded with `{again}`") from problem
    if not as_json:
        say(console(), f"otel: {sent.traces:,} traces and {sent.metrics:,} data points to {sent.to}")
