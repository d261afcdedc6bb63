"""Whether runs tell the unit costs apart.

Two units whose amounts are in proportion in all runs have one cost together, which the first of them gets. What is not
in proportion can still be hard to tell apart: the variance inflation factor of a unit says how many times larger the
variance of its cost is than if no other unit varied with it, and the condition number is that of all units together.
Source: Belsley, Kuh and Welsch, Regression Diagnostics (1980), ch. 3: columns are scaled to length 1, not centred.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ALIKE = 0.9999  # the cosine from which two units are one
INFLATION_MAX = 30.0  # a unit cost with more is said not to be known by itself


class Identification(msgspec.Struct, frozen=True, kw_only=True):
    """How well unit costs are told apart."""

    condition: float  # 1: not at all dependent on each other; above 30: some are, by the source's rule
    inflation: dict[str, float]  # the variance inflation factor of each unit that has a cost of its own
    merged: dict[str, str]  # a unit without a cost of its own, and the unit in whose cost it is
    absent: list[str]  # units of which no run had any

    @property
    def largest(self) -> tuple[str, float]:
        """The unit with the largest variance inflation factor, and that factor."""
        return max(self.inflation.items(), key=lambda item: item[1])

    @property
    def uncertain(self) -> list[str]:
        """The units whose costs are hardly known by themselves, only in sum with others."""
        return [name for name, factor in self.inflation.items() if factor > INFLATION_MAX]


def identify(names: Sequence[str], amounts: Floats) -> tuple[Identification, list[int]]:
    """How well units are told apart, and the numbers of those that get a cost. A row is a run, a column a unit."""
    lengths = np.linalg.norm(amounts, axis=0)
    scaled = amounts / np.where(lengths > 0, lengths, 1)
    kept: list[int] = []
    merged: dict[str, str] = {}
    for unit in map(int, np.nonzero(lengths)[0]):
        alike = next((other for other in kept if scaled[:, other] @ scaled[:, unit] > ALIKE), None)
        if alike is None:
            kept.append(unit)
        else:
            merged[names[unit]] = names[alike]
    _, sizes, directions = np.linalg.svd(scaled[:, kept], full_matrices=False)
    factors = np.square(directions.T / np.maximum(sizes, 1e-12)).sum(axis=1)
    identification = Identification(
        condition=float(sizes[0] / max(sizes[-1], 1e-12)),
        inflation={names[unit]: float(factor) for unit, factor in zip(kept, factors, strict=True)},
        merged=merged,
        absent=[name for name, length in zip(names, lengths, strict=True) if not length],
    )
    return identification, kept
