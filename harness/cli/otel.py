"""`--otel`: send what was measured to OpenTelemetry, when the measurement is over."""

from __future__ import annotations

import os
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
    """Whether the extra is installed. This imports only the packages that the exporter is in, which have no code."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # one of those packages is missing, as where only opentelemetry-api is installed
        return False


def refuse_otel_in_vain() -> None:
    """Raise UsageError if the extra is missing, or the endpoint is for gRPC; call it before anything is measured."""
    if not has_opentelemetry():
        raise UsageError(
            f"--otel needs the packages of OpenTelemetry, which are not installed; {INSTALL} installs them"
        )
    for signal in ("TRACES", "METRICS"):
        names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        name = next((each for each in names if os.environ.get(each)), "")  # the first takes precedence
        if os.environ.get(name, "").strip().lower() == "grpc":
            raise UsageError(
                f"{name}=grpc does not suit --otel, which sends OTLP over HTTP; set it to http/protobuf, and the "
                f"endpoint to its port for HTTP, usually 4318"
            )


def send_to_opentelemetry(folders: Sequence[Path], *, as_json: bool) -> None:
    """Send every record in these folders and below them, and say what was sent. Raises as harness.report.otel.send.

    What cannot be read is left out, with a line for each file.
    """
    from harness.report.otel import send
    from harness.results.frames import read_records
    from harness.results.reading import leaving_out

    left_out: list[str] = []
    try:
        with run_progress() as progress:
            progress.step("otel", "spans and metrics")
            sent = send(read_records(folders, leaving_out(left_out)), leaving_out(left_out))
    except ServiceFailed as problem:
        again = " ".join(["chatbench report --otel", *map(str, folders)])
        raise ServiceFailed(f"{problem}, and then send what is recorded with `{again}`") from problem
    finally:
        for line in dict.fromkeys(left_out):
            click.echo(f"chatbench: otel: {line}", err=True)
    if not as_json:
        what = f"{sent.traces:,} traces and {sent.metrics:,} data points to {sent.to}" if sent.to else "nothing to send"
        say(console(), f"otel: {what}")
