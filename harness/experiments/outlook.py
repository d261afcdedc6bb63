"""What a comparison knows after so many blocks, and how many it will probably take: shown while it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.contrasts import Contrast
from harness.analysis.stopping import BLOCKS_MIN, blocks_needed, is_precise


@dataclass(frozen=True, slots=True)
class Goal:
    """When a comparison ends: after exactly `rounds` blocks, or once it is precise or has no time for another block."""

    rounds: int | None
    precision: float  # the half-width of the intervals of CPU ratios


@dataclass(frozen=True, slots=True)
class Outlook:
    """The state of a comparison between two blocks."""

    goal: Goal
    blocks: int  # measured so far
    contrasts: Sequence[Contrast]  # of the costs
    affordable: int  # blocks in all that the budget allows

    @property
    def is_enough(self) -> bool:
        if self.goal.rounds is not None:
            return self.blocks >= self.goal.rounds
        if self.blocks < BLOCKS_MIN:
            return False
        return is_precise(self.contrasts, self.goal.precision) or self.affordable <= self.blocks

    @property
    def expected(self) -> int:
        """How many blocks there will probably be in all, given that these are not enough."""
        if self.goal.rounds is not None:
            return self.goal.rounds
        at_least = max(BLOCKS_MIN, self.blocks + 1)  # contrasts may rest on fewer blocks than were measured
        if not self.contrasts:
            return at_least
        return max(at_least, blocks_needed(self.contrasts, self.goal.precision, max(at_least, self.affordable)))

    @property
    def is_least(self) -> bool:
        """Whether nobody knows yet how many more than `expected` there will be."""
        return self.goal.rounds is None and not self.contrasts

    def known(self) -> str:
        """What is known: how far the intervals of each cost reach, and which one is the widest."""
        widest = {each.figure: each for each in sorted(self.contrasts, key=lambda each: each.half_width)}
        if self.blocks < 2:
            return "one block, which gives no intervals yet"
        if not widest:
            return f"{self.blocks} blocks, which do not give all CPU ratios"
        parts = [f"{figure.partition(':')[0]} {_percent(each)}" for figure, each in sorted(widest.items())]
        worst = max(widest.values(), key=lambda each: each.half_width)
        low, high = worst.interval()
        pair = f"{worst.first} over {worst.second} is {low:.2f} to {high:.2f}"
        return f"CPU ratios known to {_percent(worst)} after {self.blocks} blocks ({', '.join(parts)}; {pair})"


def _percent(contrast: Contrast) -> str:
    half_width = contrast.half_width
    return f"{100 * half_width:.0f} %" if math.isfinite(half_width) and half_width < 10 else "more than 1,000 %"
