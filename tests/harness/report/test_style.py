"""Where the names of lines are written."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.text import Annotation

from harness.report.style import chart, label_lines

COLOURS = dict.fromkeys(("a", "b", "c", "d"), "black")


@pytest.mark.parametrize("heights", [(9.5, 9.6, 9.7, 9.8), (1.0, 1.01, 5.0, 9.9), (0.0, 0.0, 0.0, 0.0)])
def test_names_are_apart_and_not_above_the_axes(heights: tuple[float, ...]) -> None:
    with chart() as (figure, axes):
        axes.set_ylim(0, 10)
        label_lines(axes, {name: (1.0, height) for name, height in zip(COLOURS, heights, strict=True)}, COLOURS)
        figure.draw_without_rendering()
        boxes = [each.get_window_extent() for each in axes.texts if isinstance(each, Annotation)]
    middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
    assert len(middles) == 4
    assert all(upper - lower > 0.9 * boxes[0].height for lower, upper in itertools.pairwise(middles))
    assert middles[-1] <= axes.bbox.y1 + boxes[0].height / 2
