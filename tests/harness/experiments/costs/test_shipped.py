"""The data that `chatbench advise` ships in every installation is the reference's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.experiments.costs import shipped
from harness.experiments.costs.grid import FITTED
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.study import read_readable, read_validating

REFERENCE = Path(__file__).parents[4] / "results" / "reference"


def test_it_is_what_the_reference_measured() -> None:
    runs = REFERENCE / "costs" / "runs"
    for made, kept in (
        (read_points([runs / FITTED]), shipped.read_fitted()),
        (read_validating(runs), shipped.read_held_out()),
    ):
        # A figure that is newer than the reference is a column without values.
        pd.testing.assert_frame_equal(made.dropna(axis=1, how="all"), kept.dropna(axis=1, how="all"), check_dtype=False)
    assert read_readable(REFERENCE / "claims") == shipped.read_readable()
