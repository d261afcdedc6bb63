"""Student's t distribution, and when what computes it is imported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.analysis.student import quantiles, share_below


def test_values_are_those_of_the_tables() -> None:
    assert quantiles(0.975, np.array([1, 5, 30])) == pytest.approx([12.7062, 2.5706, 2.0423], rel=1e-4)
    assert share_below(-2.5706, 5) == pytest.approx(0.025, rel=1e-4)


@pytest.mark.slow
def test_importing_the_report_does_not_import_scipy() -> None:
    asked = "import sys, harness.report.html; print('scipy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
