"""Charts and tables of `chatbench costs`: cost over members, predictions against measurements, and unit costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.experiments.costs.components import COMPONENTS, CPU_COMPONENTS
from harness.experiments.costs.identification import Identification
from harness.experiments.costs.model import Model
from harness.experiments.costs.reach import TIMES_MAX
from harness.experiments.costs.sizing import ChatSize, sized
from harness.experiments.costs.validation import WHOLE, HeldOutAccuracy, summed_up
from harness.report.fitting import Column, Fitted
from harness.report.style import (
    DASHES,
    GRID,
    INK,
    UNSEEN,
    chart,
    colours_of,
    headline,
    label_lines,
    save,
    tip,
    tip_band,
)

MEMBERS = np.logspace(3, 7, 81)
SIZE_INCHES = (7.6, 4.8)


def cost_over_members(model: Model, members_per_room: float, messages_per_member_per_s: float) -> Figure:
    """Cores of gateways and brokers over the number of members, in rooms of this size. A line ends at its limit.

    Beyond ten times the members that were measured, a prediction is no reason to prefer one, and the area is shaded.
    """
    colours = colours_of(model.architectures)
    far = TIMES_MAX * float(model.points["members"].max())
    with chart(SIZE_INCHES) as (figure, axes):
        curves = {}
        for name, dash in zip(model.architectures, DASHES, strict=False):
            cores = [_cores(model, name, members, members_per_room, messages_per_member_per_s) for members in MEMBERS]
            curves[name] = np.array(cores)
            axes.plot(MEMBERS, curves[name], color=colours[name], linestyle=dash, linewidth=2)
            (there,) = np.nonzero(~np.isnan(curves[name]))
            if 0 < len(there) < len(MEMBERS):
                axes.plot(MEMBERS[there[-1]], curves[name][there[-1]], "x", color=colours[name], markersize=9)
        least = np.nanmin(np.stack(list(curves.values())), axis=0)
        for members, cores_there in _crossings(list(curves.values())):
            axes.plot(members, cores_there, "o", color=INK, markerfacecolor="white", markersize=6, zorder=5)
            # Label only the crossings at which another architecture becomes the cheapest.
            if cores_there <= 1.02 * float(np.exp(np.interp(np.log(members), np.log(MEMBERS), np.log(least)))):
                place = (members, cores_there)
                axes.annotate(
                    _members_text(members), place, xytext=(8, -14), textcoords="offset points", fontweight="bold"
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(mpl.ticker.NullFormatter())  # the default one writes mathtext
        axes.grid(axis="both", color=GRID, linewidth=0.6)
        axes.set_xlabel("size of the chat, members")
        axes.set_ylabel("CPU of gateways and brokers, cores")
        if far < MEMBERS[-1]:
            axes.axvspan(far, MEMBERS[-1], color=GRID, alpha=0.45, zorder=0)
        label_lines(axes, {name: _end(curve) for name, curve in curves.items()}, colours)
        for number in range(0, len(MEMBERS), TIP_STEP):
            if at := _ranked({name: float(curve[number]) for name, curve in curves.items()}):
                here = float(MEMBERS[number])
                band = (here / TIP_WIDTH, here * TIP_WIDTH)
                tip_band(axes, *band, f"{_members_text(here)} members: {at} (predicted)")
        rooms = f"in rooms of {members_per_room:,g}"
        headline(
            figure,
            _cheapest_text({name: curve[far >= MEMBERS] for name, curve in curves.items()}, rooms),
            n=f"a prediction by unit costs that were fitted to {len(model.points):,} runs",
            note=f"{members_per_room * messages_per_member_per_s:,g} messages/s in each room. o: two cost the same, "
            "x: the limit of an architecture, grey: more than ten times what was measured",
        )
    return figure


TIP_STEP = 4  # of MEMBERS, at which the values can be pointed at
TIP_WIDTH = float((MEMBERS[1] / MEMBERS[0]) ** (TIP_STEP / 2))


def _ranked(cores: Mapping[str, float]) -> str:
    known = sorted((value, name) for name, value in cores.items() if not np.isnan(value))
    return ", ".join(f"{name} {figure_text(value)} cores" for value, name in known)


def _cheapest_text(curves: Mapping[str, np.ndarray], rooms: str) -> str:
    """Which architecture needs the fewest cores, and from how many members on."""
    every = np.stack([np.nan_to_num(curve, nan=np.inf) for curve in curves.values()])
    names = [list(curves)[number] for number in every.argmin(axis=0)]
    then = ""
    for place in range(1, len(names)):
        if names[place] != names[place - 1]:
            at = _crossing(curves[names[place - 1]], curves[names[place]], place)
            then += f", from {_members_text(at)} members on {names[place]}"
    return f"{names[0]} needs the fewest cores {rooms}{then}" if names else f"Predicted cores {rooms}"


def _crossing(one: np.ndarray, other: np.ndarray, place: int) -> float:
    """The members at which these cross just before that place; the place itself if one of them ends there."""
    low, high = MEMBERS[place - 1], MEMBERS[place]
    return next((members for members, _ in _crossings([one, other]) if low <= members <= high), float(high))


def _cores(model: Model, arch: str, members: float, per_room: float, per_member_per_s: float) -> float:
    """Predicted cores, or NaN if it is not feasible."""
    rooms = max(1, round(members / per_room))
    chat = sized(model, arch, ChatSize(rooms, per_room, rooms * per_room * per_member_per_s))
    return chat.cores.value if chat.feasible else float("nan")


def _crossings(curves: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """The points at which two curves cross, interpolated linearly on the logarithmic axes."""
    found = []
    for number, one in enumerate(curves):
        for other in curves[number + 1 :]:
            apart = np.log(one) - np.log(other)
            for place in np.flatnonzero(np.sign(apart[:-1]) * np.sign(apart[1:]) < 0):
                part = apart[place] / (apart[place] - apart[place + 1])
                members = np.exp(np.interp(part, [0, 1], np.log(MEMBERS[place : place + 2])))
                cores = np.exp(np.interp(part, [0, 1], np.log(one[place : place + 2])))
                found.append((float(members), float(cores)))
    return found


def _members_text(members: float) -> str:
    return f"{members / 1e6:.1f}M" if members >= 1e6 else f"{members / 1e3:.0f}k"


def _end(curve: np.ndarray) -> tuple[float, float]:
    """The position of the label: the right edge, at the height of the last point of the curve."""
    (there,) = np.nonzero(~np.isnan(curve))
    return (float(MEMBERS[-1]), float(curve[there[-1]])) if len(there) else (float(MEMBERS[-1]), 1.0)


def predicted_and_measured(checked: pd.DataFrame) -> Figure:
    """One point with its interval for each run made after the fit. On the diagonal, the prediction was exact."""
    whole = checked[checked["what"] == WHOLE]
    names = sorted(whole["arch"].unique())
    colours = colours_of(names)
    with chart() as (figure, axes):
        ends = (0.8 * float(whole["measured"].min()) / 1e6, 1.25 * float(whole["measured"].max()) / 1e6)
        axes.plot(ends, ends, color=INK, linewidth=1, linestyle=DASHES[2])
        for name in names:
            own = whole[whole["arch"] == name]
            value, low, high = (own[column].to_numpy() / 1e6 for column in ("predicted", "low", "high"))
            axes.errorbar(
                own["measured"] / 1e6,
                value,
                yerr=(value - low, high - value),
                fmt="o",
                color=colours[name],
                label=name,
                elinewidth=1,
                markersize=5,
            )
            for measured, predicted, least, most in zip(own["measured"] / 1e6, value, low, high, strict=True):
                (mark,) = axes.plot(measured, predicted, "o", markersize=9, **UNSEEN)
                text = f"{figure_text(predicted)} cores predicted, {figure_text(least)} to {figure_text(most)}"
                tip(mark, f"{name}: {text}; {figure_text(measured)} measured")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.set_xlabel("CPU of gateways and brokers measured, cores")
        axes.set_ylabel("predicted with 90 % interval, cores")
        axes.legend(frameon=False)
        off = (whole["predicted"] / whole["measured"] - 1).abs()
        headline(
            figure,
            f"Half of the predictions are off by {off.median():.0%} or less, and the worst by {off.max():.0%}",
            n=f"{len(whole):,} runs that were made after the fit",
            note="On the dotted line, a prediction is exact",
        )
    return figure


def unit_cost_rows(model: Model) -> list[tuple[str, str, str]]:
    """Rows of part, unit and cost; one cost for all architectures, or one for each."""
    rows: dict[tuple[str, str], list[str]] = {}
    for part in COMPONENTS:
        units, unit = model.units[part.name], "us" if part.column.endswith("us_per_s") else "B"
        for name, cost in zip(units.names, units.costs, strict=True):
            thing, _, arch = name.removesuffix(")").partition(" (")
            rows.setdefault((part.name, thing), []).append(f"{arch} {figure_text(cost)} {unit}".strip())
    return [(part, thing, ", ".join(costs)) for (part, thing), costs in rows.items()]


def unit_costs_table(model: Model) -> Fitted:
    """The table of unit costs."""
    parts, things, costs = zip(*unit_cost_rows(model), strict=True)
    return Fitted([Column("part", parts), Column("unit", things, folds=True), Column("cost", costs, folds=True)])


def held_out_table(held: Sequence[HeldOutAccuracy]) -> Fitted:
    """The accuracy of the predictions for the runs that were made after the fit."""
    return Fitted(
        [
            Column("predicted from the workload alone", [each.what for each in held], folds=True),
            Column("sizes", [f"{each.range} the fitted" for each in held]),
            Column("runs", [str(each.runs) for each in held], right=True),
            Column("shapes", [str(each.shapes) for each in held], right=True),
            Column("median error", [f"{each.median_error:.1%}" for each in held], right=True),
            Column("worst error", [f"{each.worst_error:.1%}" for each in held], right=True),
            Column("within the 90 % interval", [f"{each.within:.0%}" for each in held], right=True),
        ]
    )


def identification_table(model: Model) -> Fitted:
    """How well the unit costs of each part are told apart from each other."""
    parts = [part.name for part in CPU_COMPONENTS]
    told = [model.units[part].identification for part in parts]

    def together(each: Identification) -> str:
        return ", ".join(f"{name} in {other}" for name, other in each.merged.items()) or "-"

    return Fitted(
        [
            Column("part", parts),
            Column("condition number", [figure_text(each.condition) for each in told], right=True),
            Column("largest variance inflation", [_largest(each) for each in told], folds=True),
            Column("hardly known by themselves", [", ".join(each.uncertain) or "-" for each in told], folds=True),
            Column("have one cost", [together(each) for each in told], folds=True),
        ]
    )


def _largest(each: Identification) -> str:
    name, factor = each.largest
    return f"{figure_text(factor)} ({name})"


UNIT_COSTS = "unit_costs.json"
# The chats whose cost is drawn, as members per room and messages per member and second: small groups, and streams.
CHATS = {"groups": (5, 0.02), "streams": (1000, 0.002)}


class UnitCost(msgspec.Struct, frozen=True, kw_only=True):
    """A row of unit_costs.json: the cost of one unit, in microseconds (CPU) or bytes (memory and overhead)."""

    part: str
    costs: dict[str, float]
    elasticity: float = 0.0  # a machine that is s times slower takes s ** elasticity times as much
    identification: Identification | None = None  # None: an older file, which does not say it


class UnitCosts(msgspec.Struct, frozen=True, kw_only=True):
    """The content of unit_costs.json."""

    held_out: list[HeldOutAccuracy]
    unit_costs: list[UnitCost]


def unit_costs_of(model: Model, checked: pd.DataFrame) -> UnitCosts:
    """The content of unit_costs.json for this model."""
    return UnitCosts(
        held_out=summed_up(checked),
        unit_costs=[
            UnitCost(
                part=part,
                costs=dict(zip(units.names, units.costs, strict=True)),
                elasticity=units.elasticity,
                identification=units.identification,
            )
            for part, units in model.units.items()
        ],
    )


def write_costs(model: Model, checked: pd.DataFrame, folder: Path) -> Path:
    """Write unit_costs.json and the charts; returns the path of unit_costs.json."""
    path = folder / UNIT_COSTS
    path.write_bytes(msgspec.json.format(msgspec.json.encode(unit_costs_of(model, checked))))
    save(predicted_and_measured(checked), folder / "charts", "predicted_and_measured")
    for name, (members_per_room, messages_per_member_per_s) in CHATS.items():
        drawn = cost_over_members(model, members_per_room, messages_per_member_per_s)
        save(drawn, folder / "charts", f"cost_over_members-{name}")
    return path
