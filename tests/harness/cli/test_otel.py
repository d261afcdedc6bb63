"""`--otel`: what is refused before anything is measured, and what is said when all is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.otel import refuse_otel_in_vain, send_to_opentelemetry
from harness.core.errors import UsageError
from harness.measure.validity import DriverVerdict
from harness.runs.messages_file import MESSAGES_FILE
from tests.harness.report.records import write_record
from tests.harness.results.test_traced_messages import write_two
from tests.otlp import collector

# Commands whose measurement is replaced by the records in a folder that is there.
RUN = """
import sys
from pathlib import Path
from harness.results.frames import read_records
from harness.runs import run
(record,) = read_records([Path(sys.argv.pop(1))])
run.run_once = lambda *_: run.Outcome(record.summary, record.folder)
from harness.cli.main import main
main()
"""
COMPARE = """
import sys
from pathlib import Path
from harness.experiments import comparison
from harness.results.frames import read_records
from harness.runs.run import Outcome
folder = Path(sys.argv.pop(1))
comparison.begin = lambda *_: folder
comparison.run_campaign = lambda *_: [Outcome(each.summary, each.folder) for each in read_records([folder])]
from harness.cli.main import main
main()
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def test_doctor_finds_the_extra_missing_where_only_its_api_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opentelemetry" / "trace").mkdir(parents=True)
    for package in ("opentelemetry", "opentelemetry/trace"):
        (tmp_path / package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    argv = [sys.executable, "-m", "harness.cli", "doctor"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "Traceback" not in answer.stderr
    assert "which only --otel needs" in " ".join(answer.stdout.split())


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"])
def test_an_endpoint_for_grpc_is_refused_with_the_port_for_http(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_otel_in_vain()
    monkeypatch.setenv(name, "grpc")
    with pytest.raises(UsageError, match=rf"^{name}=grpc .* http/protobuf, .* 4318$"):
        refuse_otel_in_vain()


def test_the_protocol_of_each_signal_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    for signal in ("TRACES", "METRICS"):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "http/protobuf")
    refuse_otel_in_vain()


def test_where_nothing_is_wanted_there_is_nothing_to_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for signal in ("TRACES", "METRICS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    write_two(tmp_path)
    send_to_opentelemetry([tmp_path], as_json=False)
    assert capsys.readouterr().out == "otel: nothing to send\n"


def test_a_record_that_cannot_be_read_is_left_out_with_a_line_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_summary, no_messages, _whole = (write_two(tmp_path) for _ in range(3))
    files = [no_summary / "summary.json", no_messages / MESSAGES_FILE]
    for file in files:
        file.write_bytes(b"PAR1")
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        send_to_opentelemetry([tmp_path], as_json=False)
    told = capsys.readouterr()
    assert told.out.startswith("otel: 2 traces and ")
    lines = [line for line in told.err.splitlines() if "left out" in line]
    assert [line.startswith("chatbench: otel: left out: ") for line in lines] == [True, True]
    assert all(str(file) in line for file, line in zip(files, lines, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "command"), [(RUN, ["run", "--arch", "redis", "--no-report"]), (COMPARE, ["compare"])]
)
def test_an_endpoint_that_is_gone_does_not_hide_that_the_driver_was_late(
    program: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    write_record(tmp_path, "redis", driver=DriverVerdict(valid=False, why="it slept"))
    argv = [sys.executable, "-c", program, str(tmp_path), *command, "--json", "--otel"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 3, answer.stderr
    of_driver, of_endpoint = (answer.stderr.find(each) for each in ("the driver was not valid", "the OTLP endpoint"))
    assert 0 <= of_driver < of_endpoint, answer.stderr
