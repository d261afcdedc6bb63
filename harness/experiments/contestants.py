"""What a search finds the limits of: architectures, each on the numbers of gateways that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.core.errors import UsageError
from harness.core.registry import load_candidate

NUMBERS_OF_GATEWAYS = (1, 2, 4, 8)  # that are compared if none are given


class Contestant(NamedTuple):
    arch: str
    gateways: int | None = None  # None: those of the settings, for their number is not compared

    def __str__(self) -> str:
        if self.gateways is None:
            return self.arch
        return f"{self.arch} with {self.gateways} gateway{'' if self.gateways == 1 else 's'}"

    @property
    def folder(self) -> str:
        """The folder of its runs, in that of the search."""
        return self.arch if self.gateways is None else f"{self.arch}-{self.gateways}-gateways"


def contestants_of(architectures: Sequence[str], numbers: Sequence[int]) -> list[Contestant]:
    """Each architecture on each number of gateways that it can have, or just each architecture if there are none.

    Raises UsageError if an architecture can have none of them.
    """
    if not numbers:
        return [Contestant(name) for name in architectures]
    every = []
    for name in architectures:
        most = load_candidate(name).requires.gateways_max
        possible = [Contestant(name, number) for number in numbers if most is None or number <= most]
        if not possible:
            raise UsageError(f"--gateways is {min(numbers)} or more, but {name} has at most {most}; leave {name} out")
        every += possible
    return every
