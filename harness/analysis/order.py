"""In which order the architectures of a block are measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def williams_square(size: int) -> list[list[int]]:
    """Return orders of 0 .. size - 1 that are balanced for position and for carry-over.

    Over all rows, each number stands in each position equally often, and follows each other number equally often.
    An even size needs as many rows as numbers, an odd one twice as many: there each row is followed by its reverse, so
    that after every two rows each number has stood in the middle on average, and has both followed and led its
    neighbours.
    Source: E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments,
    Australian Journal of Scientific Research A 2 (1949).
    """
    zigzag = [position // 2 if position % 2 == 0 else size - (position + 1) // 2 for position in range(size)]
    rows = [[(number + shift) % size for number in zigzag] for shift in range(size)]
    return rows if size % 2 == 0 else [each for row in rows for each in (row, row[::-1])]


def order_of_block(candidates: Sequence[T], block: int) -> list[T]:
    """Return the candidates in the order of that block, which counts from 0. The orders repeat after the last one."""
    rows = williams_square(len(candidates))
    return [candidates[number] for number in rows[block % len(rows)]]
