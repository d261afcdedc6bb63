"""What every chart must say."""

from __future__ import annotations

import re

from matplotlib.figure import Figure

UNIT = re.compile(r",\s[a-z/%]+$|\([a-z/% ]+\)$")
NAMES = ("architecture", "pair", "what was run")  # labels of axes without a unit


def assert_says_what_one_sees(drawn: Figure, name: str) -> None:
    """A sentence as its title, on each axis what is on it and in which unit, and what it rests on."""
    assert len(drawn.get_suptitle().split()) >= 4, name
    assert re.search(r"n: .*\d+ (?:run|block|message|deliver)", drawn.get_supxlabel()), (name, drawn.get_supxlabel())
    for place, axes in enumerate(drawn.axes):
        is_above = place < len(drawn.axes) - 1 and axes.get_shared_x_axes().joined(axes, drawn.axes[-1])
        assert UNIT.search(axes.get_xlabel()) or (is_above and not axes.get_xlabel()), (name, axes.get_xlabel())
        label = axes.get_ylabel()
        # Panels share the names of the first.
        assert label in NAMES or UNIT.search(label) or (place > 0 and not label), (name, label)
