"""How many times its first limit an architecture takes with more gateways, for the terminal and the chart."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.holding import Estimate
from harness.analysis.usl import Usl
from harness.core.settings import GATEWAYS_MAX
from harness.core.units import figure_text
from harness.experiments.capacity import Capacity, Search
from harness.experiments.scaling import Scaling, is_rough, ratio_of
from harness.report.fitting import Column, Fitted

SMALLEST = 1e-4  # of sigma and kappa; below, 64 gateways would not show it


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """The limit with some gateways, as a multiple of the limit with the fewest."""

    gateways: int
    times: Estimate
    at_least: bool  # the driver or the machine was the limit with so many gateways, not the architecture


def limits_of(search: Search, arch: str) -> list[Capacity]:
    """What was found about the architecture with each number of gateways, the fewest first."""
    return sorted((each for each in search.capacities if each.arch == arch), key=lambda each: each.gateways or 0)


def speedups(search: Search, arch: str) -> list[SpeedUp]:
    """The speed-up with each number of gateways; none if the architecture's own limit with the fewest is not known.

    Limits that are known only roughly are left out.
    """
    found = limits_of(search, arch)
    first = found[0].half if found else None
    if first is None or found[0].at_least or is_rough(first):
        return []
    one = SpeedUp(found[0].gateways or 0, Estimate(value=1.0, low=1.0, high=1.0), at_least=False)
    more = [
        SpeedUp(each.gateways or 0, ratio_of(each.half, first), each.at_least)
        for each in found[1:]
        if each.half is not None and not is_rough(each.half)
    ]
    return [one, *more]


def speedup_table(search: Search) -> Fitted:
    """A row for each architecture: its speed-up with each number of gateways, and the law that it follows."""
    columns = [Column("architecture", search.architectures)]
    for number in sorted(search.gateways):
        cells = [_cell(search, arch, number) for arch in search.architectures]
        columns.append(Column(f"{number} gateway{'' if number == 1 else 's'}", cells, right=True))
    laws = {each.arch: law_text(each) for each in search.scalings}
    columns.append(Column("scalability law", [laws.get(arch, "") for arch in search.architectures], folds=True))
    return Fitted(columns, title="times the limit with the fewest gateways, with its 95 % interval")


def _cell(search: Search, arch: str, number: int) -> str:
    if all((each.arch, each.gateways) != (arch, number) for each in search.capacities):
        return "-"  # it cannot have so many
    return next((times_text(each) for each in speedups(search, arch) if each.gateways == number), "not known")


def times_text(found: SpeedUp) -> str:
    """The speed-up with its interval; > if the architecture may take more."""
    value, low, high = map(figure_text, (found.times.value, found.times.low, found.times.high))
    return value if low == high else f"{'> ' if found.at_least else ''}{value} ({low} to {high})"


def law_text(scaling: Scaling) -> str:
    """The fitted parameters of the Universal Scalability Law, or why there are none."""
    if scaling.usl is None:
        return f"not fitted: {scaling.not_fitted}"
    usl = scaling.usl
    r2 = "not defined, for the limits do not differ" if usl.r2 is None else f"{usl.r2:.2f}"
    return f"sigma {_parameter(usl.sigma)}, kappa {_parameter(usl.kappa)}, R2 {r2}{_most_text(usl)}"


def parameters_text(usl: Usl) -> str:
    """The same parameters without their intervals."""
    r2 = "not defined" if usl.r2 is None else f"{usl.r2:.2f}"
    return f"{_rounded(usl.sigma.value)}, {_rounded(usl.kappa.value)}, {r2}"


def _parameter(estimate: Estimate) -> str:
    value, low, high = map(_rounded, (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def _rounded(parameter: float) -> str:
    return f"{parameter:.2g}" if parameter >= SMALLEST else "0"


def _most_text(usl: Usl) -> str:
    """The number of gateways that takes most, if it is certain that there is one."""
    if usl.most_at is None or usl.most_at > GATEWAYS_MAX or usl.kappa.low < SMALLEST:
        return ""
    number = round(usl.most_at)
    return f", most with about {number} gateway{'' if number == 1 else 's'}"
