"""The tables and charts of `chatbench simulate`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.experiments.costs.study import read_knowledge
from harness.experiments.simulation.day import Moment
from harness.experiments.simulation.plan import FleetPlan
from harness.experiments.simulation.study import Simulation, simulate
from harness.report.simulation import over_lines, simulation_note, simulation_tables
from harness.report.simulation_charts import fleet_charts
from tests.harness.report.chart_rules import assert_says_what_one_sees

MODEL = read_knowledge().model
PLAN = FleetPlan(rooms=200, members_per_room=200, rate_per_s=100)
DAY = [Moment(3, 0.1), Moment(12, 1), Moment(20.75, 60)]
STEADY = simulate(PLAN, MODEL.architectures, MODEL, [])
BUSY = simulate(PLAN, MODEL.architectures, MODEL, DAY)


@pytest.mark.parametrize("simulation", [STEADY, BUSY], ids=["steady", "day"])
def test_a_table_fits_eighty_columns(simulation: Simulation) -> None:
    out = Console(file=io.StringIO(), width=80)
    for table in simulation_tables(simulation):
        out.print(table)
    file = out.file
    assert isinstance(file, io.StringIO)
    assert "gateways" in file.getvalue()
    assert max(map(len, file.getvalue().splitlines())) <= 80


def test_what_is_over_its_limit_is_said_with_the_time_of_the_day() -> None:
    assert any("at 20:45" in sentence for sentence in over_lines(BUSY))
    assert "starts with empty queues" in simulation_note(BUSY)


@pytest.mark.parametrize("simulation", [STEADY, BUSY], ids=["steady", "day"])
def test_a_chart_says_what_one_sees(simulation: Simulation) -> None:
    for name, figure in fleet_charts(simulation):
        assert_says_what_one_sees(figure, name)
