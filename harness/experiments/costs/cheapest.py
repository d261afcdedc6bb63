"""Which of several architectures is the cheapest, with what probability, and which others cost the same.

Draw i of every prediction comes from the same resampled runs, so architectures are compared draw by draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.experiments.costs.fit import CONFIDENCE, Prediction

ALIKE = 1.1  # a difference of up to a tenth is not a reason to prefer one
MOST = 0.5  # "with most of the probability"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The cheapest architecture, and those that may be chosen as well."""

    probability: Mapping[str, float]  # of being the cheapest; they add up to 1
    choice: list[str]  # the least cost first, then those that are probably not more than a tenth dearer
    equal: bool  # whether nine draws in ten have all of the choice within a tenth; otherwise it is undecided


def probabilities(costs: Mapping[str, Prediction]) -> dict[str, float]:
    """The probability of each to be the cheapest. A draw in which several are equal is shared out among them."""
    if not costs:
        return {}
    draws = np.stack([cost.draws for cost in costs.values()])
    lowest = draws == draws.min(axis=0)
    shares = (lowest / lowest.sum(axis=0)).mean(axis=1)
    return dict(zip(costs, shares.tolist(), strict=True))


def rank(costs: Mapping[str, Prediction]) -> Ranking:
    """The ranking by cost; without any costs, there is no choice."""
    if not costs:
        return Ranking({}, [], equal=False)
    names = sorted(costs, key=lambda name: costs[name].value)
    draws = np.stack([costs[name].draws for name in names])
    ratios = draws / draws[0]
    not_dearer = (ratios <= ALIKE).mean(axis=1) > MOST
    chosen = draws[not_dearer]
    alike = float((chosen.max(axis=0) <= ALIKE * chosen.min(axis=0)).mean())
    return Ranking(
        probability=probabilities(costs),
        choice=[name for name, is_chosen in zip(names, not_dearer, strict=True) if is_chosen],
        equal=alike >= CONFIDENCE,
    )
