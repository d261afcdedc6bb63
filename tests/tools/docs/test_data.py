"""docs/data.md lists every column and key with its type and unit, and the example runs."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import msgspec
import msgspec.inspect
import pytest

from harness.cli.listing import Listing
from harness.cli.machine_check import MachineCheck
from harness.core.settings import RunSettings
from harness.experiments.capacity import Search
from harness.experiments.costs.advice import Advice
from harness.experiments.fault_matrix import Matrix
from harness.experiments.selftest import Check
from harness.experiments.simulation.check import CheckedQuantity
from harness.experiments.simulation.study import Simulation
from harness.measure.histogram import LatencyMs
from harness.report.claims import Judged
from harness.report.comparison import Report
from harness.report.costs import UnitCosts
from harness.report.otel_metrics import FIGURES
from harness.report.otel_spans import SCOPE
from harness.results.frames import KEY, Frames, frames_of, read_records
from harness.runs.summary import FaultSeen, Resumed, Summary
from harness.services.nats.metrics import NatsPerMessage
from harness.services.redis.metrics import RedisPerMessage
from tests.harness.report.records import write_record

ROOT = Path(__file__).parents[3]
DATA = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
ANSWERS = (
    Summary,
    Report,
    Matrix,
    Judged,
    Listing,
    MachineCheck,
    Search,
    Advice,
    UnitCosts,
    Check,
    Simulation,
    CheckedQuantity,
)
UNITS = {
    "_us_per_delivery": "us",
    "_bytes_per_s": "B/s",
    "_bytes_per_day": "B/day",
    "_ms_per_s": "ms/s",
    "_per_s": "1/s",
    "_ms": "ms",
    "_us": "us",
    "_s": "s",
    "_bytes": "B",
    "_share": "share",
}
PLAIN = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.NoneType: "null",
    msgspec.inspect.AnyType: "anything",
    msgspec.inspect.EnumType: "text",
}
Keys = dict[str, str]  # key or column -> type


def structs() -> dict[str, Keys]:
    """Every struct of an answer, with the types of its keys as the page writes them."""
    found: dict[str, Keys] = {}
    for answer in ANSWERS:
        _add(msgspec.inspect.type_info(answer), found)
    return found


def _add(info: msgspec.inspect.Type, found: dict[str, Keys]) -> str:
    """What the page calls that type; structs that it is made of are added."""
    match info:
        case msgspec.inspect.UnionType():
            parts = sorted(info.types, key=lambda each: isinstance(each, msgspec.inspect.NoneType))
            return " or ".join(_add(each, found) for each in parts)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return f"list of {_add(info.item_type, found)}"
        case msgspec.inspect.DictType():
            return f"object of {_add(info.value_type, found)}"
        case msgspec.inspect.StructType() | msgspec.inspect.DataclassType():
            name = info.cls.__name__
            if info.cls is not RunSettings and name not in found:
                found[name] = {}
                found[name] |= {each.encode_name: _add(each.type, found) for each in info.fields}
            return name
        case _:
            return PLAIN[type(info)]


def rows(heading: str) -> Iterator[list[str]]:
    """The rows of the table below that heading."""
    (section,) = re.findall(
        rf"^###? {re.escape(heading)}(?:: [^\n]*)?\n(.*?)(?=^##|\Z)", DATA, re.DOTALL | re.MULTILINE
    )
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def keys_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("name", structs())
def test_every_key_of_an_answer_is_there_with_its_type_its_unit_and_what_it_means(name: str) -> None:
    told = {}
    for cell, kind, unit, meaning in rows(name):
        (key,) = keys_in(cell)
        told[key] = re.sub(r"\[(\w+)\]\([^)]*\)", r"\1", kind)
        assert meaning, key
        assert unit == expected_unit(key, unit), key
    assert told == structs()[name]


def expected_unit(key: str, told: str) -> str:
    """The one in the name; what names no unit may have one."""
    return next((unit for suffix, unit in UNITS.items() if key.endswith(suffix)), told)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Of runs that measured all that can be."""
    folder = tmp_path_factory.mktemp("records")
    resumed = Resumed(returns=1, away=1, missed=0, repeated=0, caught_up_ms=LatencyMs(1, 1, 1, 1, 1))
    fault = FaultSeen(fault="kill:gateway", began_s=1, ended_s=None, first_delivery_ms=1, normal_ms=1)
    write_record(folder, "plan1", resumed=resumed, faults=[fault], redis=RedisPerMessage(), nats=NatsPerMessage())
    write_record(folder, "plan2")
    return frames_of(read_records([folder]))


@pytest.mark.parametrize("name", [field.name for field in fields(Frames)])
def test_every_column_of_a_frame_is_there_with_its_unit_and_what_it_means(name: str, frames: Frames) -> None:
    told = []
    for cell, unit, meaning in [*rows("In every frame"), *rows(f"`{name}`")]:
        assert meaning, cell
        for column in keys_in(cell):
            told.append(column)
            assert unit == expected_unit(column, unit), column
    columns = list(getattr(frames, name).columns)
    assert set(KEY) <= set(columns)
    assert len(told) == len(set(told))
    assert sorted(told) == sorted(columns)


def test_the_example_reads_the_reference() -> None:
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", DATA, re.DOTALL) if "print(" in code)
    printed = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(printed):
        exec(example, {})
    (plan1,) = (line.split() for line in printed.getvalue().splitlines() if line.startswith("plan1"))
    assert plan1[-1] == "6.4"


def test_every_metric_is_there_with_its_unit_its_attribute_and_its_key() -> None:
    told = [tuple("".join(keys_in(cell)) for cell in row) for row in rows("Metrics")]
    assert told == [
        (f"{SCOPE}.{each.name}", each.unit, f"{SCOPE}.{each.by}" if each.by else "", each.key) for each in FIGURES
    ]
