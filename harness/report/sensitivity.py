"""The table of how the choice of `chatbench advise` depends on the size of a gateway."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.costs.reach import TIMES_MAX
from harness.experiments.costs.sensitivity import ChoiceBySize
from harness.report.fitting import Column, Fitted

FAR = "~"
CELL = 22  # characters in a line, so that the table fits 80 columns


def sensitivity_table(choices: Sequence[ChoiceBySize]) -> Fitted:
    """A row for each number of members per gateway, a column for each number of cores; cells have the choice."""
    members = list(dict.fromkeys(each.members_per_gateway for each in choices))
    columns = [Column("members per gateway", [f"{each:,}" for each in members], right=True)]
    for cores in dict.fromkeys(each.cores_per_gateway for each in choices):
        cells = [_cell(each) for each in choices if each.cores_per_gateway == cores]
        columns.append(Column(f"{cores:g} core per gateway", cells))
    return Fitted(columns, title="The cheapest on two gateways or more, and its cores, by the size of a gateway")


def sensitivity_note(choices: Sequence[ChoiceBySize]) -> list[Text]:
    """What the marks of the table mean; empty if it has none."""
    if all(each.extrapolated_times <= TIMES_MAX for each in choices):
        return []
    return [Text(f"{FAR} more than {TIMES_MAX} times beyond what was measured: no reason to prefer one.")]


def _cell(choice: ChoiceBySize) -> str:
    if choice.cores is None:
        return "none is feasible"
    names = ", ".join(choice.choice)
    if choice.extrapolated_times > TIMES_MAX:
        text = f"{FAR} {names} {figure_text(choice.cores.low)}-{figure_text(choice.cores.high)}"
    else:
        text = f"{names} {figure_text(choice.cores.value)}"
    return textwrap.fill(text, CELL, break_on_hyphens=False)
