"""Which percentiles are supported, and contrasts of them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.percentiles import contrasts_of_merged, messages_needed, why_not_shown


@pytest.mark.parametrize(("percentile", "messages"), [(50, 20), (90, 100), (99, 1_000), (99.9, 10_000)])
def test_ten_messages_must_be_beyond_a_percentile(percentile: float, messages: int) -> None:
    assert messages_needed(percentile) == messages


def test_a_percentile_without_support_says_what_it_lacks() -> None:
    assert why_not_shown(99, 1_000) is None
    assert why_not_shown(99, 635) == "n/a: 635 messages, 1,000 needed"


def test_the_contrast_of_merged_percentiles_is_between_the_merged_percentiles() -> None:
    blocks = {"a": np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]), "b": np.array([[2.0, 4.0, 6.0], [4.0, 6.0, 8.0]])}
    (found,) = contrasts_of_merged("p50", ["a", "b"], 2, lambda name, chosen: float(np.median(blocks[name][chosen])))
    assert found.ratio == pytest.approx(0.5)
    assert found.blocks == 2


def test_one_block_tells_nothing_of_a_percentile() -> None:
    assert contrasts_of_merged("p50", ["a", "b"], 1, lambda _name, _chosen: 1.0) == []
