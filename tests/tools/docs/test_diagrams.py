"""The diagrams show what the architectures do."""

from __future__ import annotations

import pytest

from architectures.routes import way_of
from harness.experiments.costs.workload import WAYS, Workload
from tools.docs.diagrams import ANYWHERE, FOLDER, SCENE, SHAPE, SHOWN, drawn

WORKLOAD = Workload(
    rooms=1, members_per_room=2, rate_per_s=1.0, payload_bytes=100, gateways=SHAPE.gateways, spread=len(ANYWHERE)
)


@pytest.mark.parametrize("name", WAYS)
def test_there_are_as_many_arrows_as_the_cost_model_counts(name: str) -> None:
    diagram, way = way_of(name, SCENE), WAYS[name]
    arrows = (diagram.records, diagram.fetches, diagram.commands, diagram.copies)
    counts = (way.records, way.fetches, way.commands, way.copies)
    assert [len(each) for each in arrows] == [count(WORKLOAD) for count in counts]


@pytest.mark.parametrize("name", SHOWN)
def test_a_way_has_no_gap_and_ends_at_every_member_but_with_one_group(name: str) -> None:
    diagram = way_of(name, SCENE)
    reached = {diagram.sent[0].start}
    for arrows in (diagram.sent, diagram.records, diagram.fetches, diagram.commands, diagram.copies, diagram.heard):
        assert {arrow.start for arrow in arrows} <= reached
        reached |= {arrow.end for arrow in arrows}
    assert bool(diagram.unreached) is (name == "naive")


@pytest.mark.parametrize("name", SHOWN)
def test_each_is_there_and_can_be_drawn_again(name: str) -> None:
    assert (FOLDER / f"{name}.png").exists(), "make them: python -m tools.docs.diagrams"
    texts = {text.get_text() for text in drawn(name).axes[0].texts}
    assert "sender" in texts
