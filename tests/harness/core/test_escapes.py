"""Names that are special to the programs they are written for are escaped and keep their meaning."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.cli import console as output
from harness.core import settings as config
from harness.core.errors import UsageError
from harness.core.escapes import FORMULA, is_plain, java_properties, markdown_cell, spreadsheet_cell
from harness.core.options import parse_options
from harness.core.progress import RunProgress
from harness.core.registry import find_scenario
from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt, Objective
from harness.experiments.capacity import Search, capacity_of
from harness.report.capacity import attempts_table, capacity_table
from harness.report.capacity_chart import knees
from harness.report.charts import CHARTS
from harness.report.html import write_report
from harness.report.run import summary_table
from harness.report.style import save
from harness.results.frames import frames_of, read_records
from harness.runs.record import read_summary
from tests.harness.report.records import write_record

MEANING = ("$5$", "x[/]", "[v1]", ":rocket:", "a|b", "=1+1", "<b>&", "{{ 7 }}", "%d", "é\\,한")


def as_java_reads(line: str) -> str:
    """The value of a line of properties, as java.util.Properties has it from Latin-1 bytes (its documentation)."""
    value = line.partition("=")[2].lstrip(" \t\f")
    units = re.sub(r"\\(u[0-9a-f]{4}|.)", lambda found: _unit(found[1]), value)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def _unit(escaped: str) -> str:
    return chr(int(escaped[1:], 16)) if len(escaped) > 1 else escaped


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_java_reads_the_value_that_was_meant(value: str) -> None:
    text = java_properties({"key": value})
    assert text.isascii()
    assert text.count("\n") == 1
    assert as_java_reads(text.removesuffix("\n")) == value


@given(st.text(max_size=20))
def test_no_cell_of_a_table_ends_it(text: str) -> None:
    cell = markdown_cell(text)
    assert len(cell.splitlines()) <= 1
    assert not re.search(r"(?<!\\)\|", cell)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@x", "'@x"),
        ("-1", "'-1"),
        ("\uff1dA1", "'\uff1dA1"),
        ("\n=1", "'\n=1"),
        ("plan1", "plan1"),
        (-1.5, -1.5),
        ("", ""),
    ],
)
def test_no_cell_of_a_spreadsheet_is_a_formula(value: object, cell: object) -> None:
    assert spreadsheet_cell(value) == cell


LOCUST_CSV = """
import csv, sys
import locust
from locust.env import Environment
from harness.load.locust_stats import SafeStatsCSV

environment = Environment()
environment.create_local_runner()
environment.stats.log_request("=chat", "=1+1", 5, 7)
environment.stats.log_error("=chat", "=1+1", "@SUM(A1)")
environment.runner.exceptions[1] = {"count": 1, "msg": "+1", "traceback": "-2", "nodes": {"=node"}}
tables = SafeStatsCSV(environment, [0.5])
for write in (tables.requests_csv, tables.failures_csv, tables.exceptions_csv):
    write(csv.writer(sys.stdout))
"""


def test_no_cell_of_locusts_tables_is_a_formula() -> None:
    answer = subprocess.run([sys.executable, "-c", LOCUST_CSV], capture_output=True, text=True, check=True)
    cells = [cell for row in csv.reader(answer.stdout.splitlines()) for cell in row]
    assert {"'=1+1", "'=chat", "'@SUM(A1)", "'+1", "'-2", "'=node"} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(FORMULA)]


@pytest.mark.slow
def test_every_csv_of_a_report_is_free_of_formulas_whatever_a_scenario_is_called(tmp_path: Path) -> None:
    folder = write_record(tmp_path / "records", settings={"scenario": "=1+1"}, scenario="=1+1")
    write_report([folder], tmp_path / "report")
    tables = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "report").rglob("*.csv")}
    assert "'=1+1" in tables["runs.csv"]
    for table in tables.values():
        cells = [cell for row in csv.reader(table.splitlines()) for cell in row]
        assert not [cell for cell in cells if cell.startswith(FORMULA) and not is_number(cell)]


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("name", ["$5$ x[/] a|b", "=1+1 [v1] <b>& {{ 7 }} :rocket:"])
def test_every_output_shows_a_name_as_it_is(name: str, tmp_path: Path) -> None:
    folder = write_record(tmp_path / "records", settings={"scenario": name}, scenario=name)
    frames = frames_of(read_records([folder]))
    for chart, draw in CHARTS.items():
        assert "mathdefault" not in save(draw(frames), tmp_path, chart).read_text(encoding="utf-8")
    page = write_report([folder], tmp_path / "report").page
    assert "<b>" not in Path(page).read_text(encoding="utf-8")
    runs = pd.read_csv(tmp_path / "report" / "frames" / "runs.csv")
    assert runs["scenario"][0].removeprefix("'") == name
    assert not runs["scenario"][0].startswith("=")
    out = io.StringIO()
    console = Console(file=out, width=200, markup=False, emoji=False, highlight=False)
    console.print(summary_table(read_summary(folder)))
    assert name in out.getvalue()


@pytest.mark.parametrize("name", ["$5$ x[/]", "=1+1 [v1] <b>& :rocket:"])
def test_the_result_of_a_capacity_shows_a_name_as_it_is(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = search_of(name)
    svg = save(knees(search), tmp_path, "capacity").read_text(encoding="utf-8")
    assert name in svg or "&" in svg
    monkeypatch.setenv("COLUMNS", "200")
    out = output.console()
    out.print(attempts_table(search.capacities[0], search.over))
    out.print(capacity_table(search))
    output.say(out, f"record: {tmp_path / name}")
    printed = capsys.readouterr().out
    assert f"record: {tmp_path / name}\n" in printed
    assert name in printed.partition("record:")[0]


def search_of(scenario: str) -> Search:
    attempts = [
        Attempt(
            rate_per_s=rate_per_s,
            members=100,
            held=rate_per_s < 200,
            why=None if rate_per_s < 200 else f"{scenario} was lost",
            p50_ms=5.0,
            p99_ms=9.0,
            deliveries_per_s=1000.0,
            driver_valid=True,
            saturated=[],
            record="r",
        )
        for rate_per_s in (100.0, 200.0)
    ]
    return Search(
        architectures=("plan1",),
        scenario=scenario,
        objective=Objective(),
        start=100.0,
        precision=0.1,
        budget_s=60.0,
        settings=RunSettings(arch="plan1", scenario=scenario),
        capacities=[capacity_of("plan1", attempts)],
    )


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", MEANING)
def test_progress_shows_a_name_as_it_is(name: str, terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=terminal, markup=False, emoji=False, highlight=False)
    with RunProgress(console) as progress:
        progress.step("report", name)
    assert name in out.getvalue()


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\udcffb"])
def test_what_no_output_can_hold_is_refused_at_once(name: str, tmp_path: Path) -> None:
    assert not is_plain(name)
    with pytest.raises(UsageError, match="a record cannot hold"):
        find_scenario(str(tmp_path / f"{name}.py"))
    with pytest.raises(UsageError, match="a record cannot hold"):
        config.make_out_dir(str(tmp_path / name))
    with pytest.raises(UsageError, match="a record cannot hold"):
        parse_options("--set", [f"name={name}"])
    assert list(tmp_path.iterdir()) == []
