"""The fit finds the unit costs of every part again, and predicts runs that it has not seen."""

from __future__ import annotations

import pytest

from harness.experiments.costs.components import GATEWAY_CPU, KAFKA_CPU, REDIS_CPU, Component
from harness.experiments.costs.model import Model, fit
from harness.experiments.costs.validation import ERRORS_ASKED, WHOLE, held_out, summed_up
from tests.harness.experiments.costs import made_up
from tests.harness.experiments.costs.made_up import EXACT_POINTS, FITTED_POINTS, HELD_OUT_POINTS


def costs_of(model: Model, part: Component) -> dict[str, float]:
    units = model.units[part.name]
    return dict(zip(units.names, units.costs, strict=True))


def test_the_costs_of_a_world_without_noise_are_found_exactly() -> None:
    model = fit(EXACT_POINTS)
    kafka = costs_of(model, KAFKA_CPU)
    assert kafka["broker"] == pytest.approx(made_up.BROKER)
    assert kafka["request"] == pytest.approx(made_up.REQUEST)
    assert kafka["fetch"] == pytest.approx(made_up.FETCH)
    redis = costs_of(model, REDIS_CPU)
    assert redis["command"] == pytest.approx(made_up.COMMAND)
    assert redis["copy"] == pytest.approx(made_up.PUSH)
    gateway = costs_of(model, GATEWAY_CPU)
    assert gateway["gateway (redis)"] == pytest.approx(made_up.GATEWAY)
    assert gateway["write"] == pytest.approx(made_up.WRITE)
    assert gateway["delivery"] == pytest.approx(made_up.DELIVERY, rel=1e-4)
    assert kafka["replicated record"] == pytest.approx(made_up.REPLICATED)
    assert model.units[GATEWAY_CPU.name].elasticity == pytest.approx(made_up.ELASTICITY, abs=0.001)
    assert model.sharing.wait_s["redis"] == pytest.approx(made_up.WAIT_S, rel=1e-3)
    assert model.sharing.request_s["plan1"] == pytest.approx(made_up.REQUEST_S)
    assert "redis" not in model.sharing.request_s


def test_a_part_that_an_architecture_has_not_costs_it_nothing() -> None:
    model = fit(EXACT_POINTS)
    whole = held_out(model, EXACT_POINTS)
    assert not len(whole[(whole["arch"] == "redis") & (whole["what"] == KAFKA_CPU.name)])
    assert not len(whole[(whole["arch"] == "plan1") & (whole["what"] == REDIS_CPU.name)])


def test_what_was_held_out_is_predicted_within_the_noise() -> None:
    summary = summed_up(held_out(fit(FITTED_POINTS), HELD_OUT_POINTS))
    whole = summary[0]
    assert (whole.what, whole.runs) == (WHOLE, len(HELD_OUT_POINTS))
    assert whole.median_error < 0.07 < ERRORS_ASKED["inside"]
    assert whole.within > 0.8


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit(FITTED_POINTS.iloc[:10])
