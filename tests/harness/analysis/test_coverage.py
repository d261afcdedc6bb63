"""The whole rule, stopping included, against made-up blocks whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from harness.analysis.contrasts import Contrast, Figures, Matrix, contrasts
from harness.analysis.costs import Load, cost_of
from harness.analysis.percentiles import contrasts_of_merged
from harness.analysis.verdicts import Answer, judge
from tests.harness.analysis.simulated import FIVE, first_blocks, noise, stopped

pytestmark = pytest.mark.slow

COMPARISONS = 400
NOMINAL = (0.93, 0.97)


def covers(contrast: Contrast, truth: float) -> bool:
    low, high = contrast.interval()
    return low <= truth <= high


def within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


@pytest.mark.parametrize("spread", [0.02, 0.035, 0.05, 0.07, 0.1])
def test_an_interval_of_95_percent_holds_the_truth_in_95_of_100_comparisons(spread: float) -> None:
    random = np.random.default_rng(1)
    ratios = np.array([1.0, 1.02, 1.15, 2.2, 2.3])
    held = []
    for _ in range(COMPARISONS):
        (found,) = stopped(Figures("cpu", FIVE, np.exp(noise(random, spread)) * ratios))
        truth = dict(zip(FIVE, ratios, strict=True))
        held += [covers(each, truth[each.first] / truth[each.second]) for each in found]
    assert within(float(np.mean(held)), NOMINAL)


@pytest.mark.parametrize("spread", [0.02, 0.05, 0.1])
def test_it_also_does_when_the_machine_changes_its_speed_from_run_to_run(spread: float) -> None:
    random = np.random.default_rng(2)
    held, widths, plain = [], [], []
    for _ in range(COMPARISONS):
        slowness = noise(random, 0.15)
        values = np.exp(noise(random, spread) + 0.8 * slowness)
        measured = np.exp(slowness + random.normal(0, 0.01, slowness.shape))  # the loop itself is not exact
        figures = first_blocks(Figures("cpu", FIVE, values, measured), 7)
        adjusted = contrasts(figures)
        held += [covers(each, 1.0) for each in adjusted]
        widths += [each.half_width for each in adjusted]
        plain += [each.half_width for each in contrasts(Figures("cpu", FIVE, figures.values))]
    assert within(float(np.mean(held)), NOMINAL)
    assert np.mean(widths) < 0.9 * np.mean(plain), "what the speed explains makes the intervals narrower"


@pytest.mark.parametrize("architectures", [2, 3, 5])
@pytest.mark.parametrize("blocks", [4, 5, 7, None])
def test_it_also_does_for_few_architectures_in_few_blocks(architectures: int, blocks: int | None) -> None:
    """With None, as many blocks as the rule asks for."""
    random = np.random.default_rng(6)
    names = FIVE[:architectures]
    held = []
    for _ in range(COMPARISONS * 3 if architectures == 2 else COMPARISONS):  # two architectures are a single pair
        slowness = noise(random, 0.15, architectures=architectures)
        values = np.exp(noise(random, 0.06, architectures=architectures) + 0.8 * slowness)
        figures = Figures("cpu", names, values, np.exp(slowness))
        (found,) = stopped(figures) if blocks is None else [contrasts(first_blocks(figures, blocks))]
        held += [covers(each, 1.0) for each in found]
    assert within(float(np.mean(held)), NOMINAL)


def test_one_architecture_that_is_twice_as_noisy_as_the_others_is_hardly_taken_for_surer_than_it_is() -> None:
    random = np.random.default_rng(9)
    held: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(3 * COMPARISONS):
        values = noise(random, 0.05, 5)
        values[:, 0] += random.normal(0, 0.05 * np.sqrt(3 / 2), len(values))
        for each in contrasts(Figures("cpu", FIVE, np.exp(values))):
            held["a" in (each.first, each.second)].append(covers(each, 1.0))
    assert within(float(np.mean(held[True])), (0.91, 0.95))
    assert within(float(np.mean(held[False])), (0.94, 0.99))


@pytest.mark.parametrize("elasticities", [(1.0, 1.0), (1.1, 0.7)])
@pytest.mark.parametrize("blocks", [4, 7])
def test_it_also_does_for_a_difference_of_two_loads_that_the_machine_was_not_equally_fast_in(
    elasticities: tuple[float, float], blocks: int
) -> None:
    """The second elasticities were measured for loads of 20 and 100 messages/s, as were the sizes of the noise."""
    random = np.random.default_rng(8)
    held, widths, plain = [], [], []
    for _ in range(COMPARISONS):
        of_block, loads = noise(random, 0.0, blocks), []
        for cpu_ms_per_s, elasticity in zip((60.0, 160.0), elasticities, strict=True):
            slowness = of_block + random.normal(0, 0.1, of_block.shape)
            used = cpu_ms_per_s * np.exp(random.normal(0, 0.035, slowness.shape) + elasticity * slowness)
            loads.append(Load(used, np.full_like(used, cpu_ms_per_s), np.exp(slowness)))
        cost = cost_of(loads[0], *loads)
        figures = Figures("marginal", FIVE, cost.marginal_us_per_delivery, cost.marginal_slowness)
        adjusted = contrasts(figures)
        held += [covers(each, 1.0) for each in adjusted]
        widths += [each.half_width for each in adjusted]
        plain += [each.half_width for each in contrasts(Figures("marginal", FIVE, figures.values))]
    assert within(float(np.mean(held)), NOMINAL)
    assert np.mean(widths) < 0.7 * np.mean(plain), "what the speed explains makes the intervals narrower"


@pytest.mark.parametrize("spread", [0.03, 0.1, 0.3])
def test_of_five_equals_one_is_called_better_in_at_most_5_of_100_comparisons(spread: float) -> None:
    random = np.random.default_rng(3)
    false = 0
    for _ in range(COMPARISONS):
        figures = [Figures(name, FIVE, np.exp(noise(random, spread))) for name in ("fixed", "marginal", "p50", "p99")]
        verdicts = judge([contrast for found in stopped(*figures) for contrast in found])
        false += any(each.answer is Answer.BETTER for each in verdicts)
    assert false / COMPARISONS <= 0.05


def test_a_difference_of_15_percent_is_found_in_at_least_90_of_100_comparisons() -> None:
    random = np.random.default_rng(4)
    dearer = np.array([1.0, 1.0, 1.15, 1.0, 1.0])
    found = []
    for _ in range(COMPARISONS):
        figures = [Figures(name, FIVE, np.exp(noise(random, 0.05, 7)) * dearer) for name in ("fixed", "marginal")]
        verdicts = judge([contrast for each in figures for contrast in contrasts(each)])
        found += [
            verdict.better is not None
            for verdict in verdicts
            if "c" in (verdict.contrast.first, verdict.contrast.second)
        ]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize(("percentile", "messages"), [(50, 60), (99, 300)])
def test_an_interval_of_a_percentile_of_merged_blocks_holds_the_truth(percentile: float, messages: int) -> None:
    random = np.random.default_rng(5)
    held = []
    for _ in range(COMPARISONS):
        shape = (8, messages)
        blocks = {name: np.exp(random.normal(0, 0.6, shape) + random.normal(0, 0.1, (8, 1))) for name in "ab"}
        (found,) = contrasts_of_merged("latency", "ab", 8, partial(merged_percentile, blocks, percentile))
        held.append(covers(found, 1.0))
    assert within(float(np.mean(held)), NOMINAL)


def merged_percentile(blocks: dict[str, Matrix], percentile: float, name: str, chosen: Sequence[int]) -> float:
    return float(np.percentile(blocks[name][list(chosen)], percentile))
