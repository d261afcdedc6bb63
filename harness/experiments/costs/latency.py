"""Predict the latency of a workload: its median and its 99th percentile, or why it is not predicted.

The median is a sum of terms in ms, each at least zero (latency_terms): a base for each architecture, which are its
hops; waking up a gateway that is seldom used; the members that are written to one after another; waiting for a core
where everything shares a machine. The wait for the gateway's tick is added from its rule, without a coefficient
(tick_wait). The 99th percentile is a sum of the same groups of terms with a factor each, plus its own wait for the
tick.

Latency counts from sending. The driver's lateness is thus not in it, and `predict` leaves out what the driver's
reading and the shared cores add; `predict_as_measured` includes them, so that it can be held against runs. What
remains of the driver in both is the time in which a socket is read once.

Close to saturation a queue grows as u / (1 - u) with the utilisation u of the thread that serves it, and small errors
of u become large ones of latency (L. Kleinrock, Queueing Systems, vol. 1, 1975, ch. 3 and 5). There it is not
predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.analysis.percentiles import messages_needed
from harness.experiments.costs.fit import DRAWS, Floats, Interval, Prediction
from harness.experiments.costs.latency_terms import Circumstances, Terms, as_measured, by_itself, terms_of
from harness.experiments.costs.model import SHAPE, workload_of
from harness.experiments.costs.occupancy import Cores, fit_cores, machine_cores_used, members_on_gateway
from harness.experiments.costs.relative_fit import Measured, RelativeFit, fit_relative
from harness.experiments.costs.tick_wait import waiting_ms
from harness.experiments.costs.workload import Workload
from harness.gateway.adaptive_tick import EASY

THREAD_MAX = EASY  # of one core; beyond this, a gateway's tick grows, and a queue takes as long as what it waits for
MACHINE_MAX = 0.75  # of its cores; beyond this, a run says more about the machine than about the architecture
TICK_SHARE_MAX = 0.5  # of a latency; what is mostly the tick says little about the terms
BEYOND_MAX = 10.0  # times the largest room on a gateway that was measured
P50, P99 = 0.50, 0.99
P99_MESSAGES = messages_needed(99)  # independent ones, in a run that the 99th percentile is validated with
TAIL_MESSAGES_MIN = (
    P99_MESSAGES // 4
)  # likewise, in a run of the fit; two or three of them are slower than the percentile
TAIL_TOGETHER_MIN = 10 * P99_MESSAGES
TAIL_SHAPES_MIN = 6


@dataclass(frozen=True, slots=True)
class NotPredicted:
    """Why there is no prediction: one sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class LatencyPrediction:
    """Both percentiles in ms. Draw i of each belongs to draw i of other workloads and architectures."""

    p50: Prediction
    p99: Prediction | NotPredicted

    @property
    def p50_ms(self) -> Interval:
        return self.p50.interval

    @property
    def p99_ms(self) -> Interval | NotPredicted:
        return self.p99 if isinstance(self.p99, NotPredicted) else self.p99.interval


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Fitted to measured runs by `fit_latency`."""

    terms: Terms
    median: RelativeFit
    tail: RelativeFit | NotPredicted
    cores: Cores
    machine_cores: int
    members_max: float  # of a room on one gateway, in the runs of the fit
    slowness_ms: float  # the usual of the machine; NaN: not measured

    def predict(self, arch: str, workload: Workload) -> LatencyPrediction | NotPredicted:
        """The latency where each gateway has a core of its own and members read for themselves."""
        why = self._too_full(arch, workload)
        return NotPredicted(why) if why else self._predict(arch, by_itself(arch, workload), 1.0)

    def predict_as_measured(
        self, arch: str, workload: Workload, slowness_ms: float = float("nan")
    ) -> LatencyPrediction | NotPredicted:
        """The latency that a run would measure on the machine of the fit, at that slowness of it (NaN: the usual)."""
        share = self.cores.of_machine(arch, workload) / self.machine_cores
        why = self._too_full(arch, workload)
        if why is None and share > MACHINE_MAX:
            why = (
                f"the measuring machine would be {share:.0%} full, and beyond {MACHINE_MAX:.0%} "
                "a run says more about the machine than about the architecture"
            )
        slowness = _relative_slowness(slowness_ms, self.slowness_ms)
        return NotPredicted(why) if why else self._predict(arch, as_measured(workload, share), slowness)

    def _too_full(self, arch: str, workload: Workload) -> str | None:
        if arch not in self.terms.architectures:
            return f"no run of the fit is of {arch}"
        gateway = self.cores.of_busiest_gateway(arch, workload)
        if gateway > THREAD_MAX:
            return (
                f"the busiest gateway's event loop would be busy {gateway:.0%} of the time; beyond {THREAD_MAX:.0%} "
                "its tick and its queue grow with the load, so measure it, or use more gateways"
            )
        redis = self.cores.of_redis(arch, workload)
        if redis > THREAD_MAX:
            return (
                f"Redis's one thread would be busy {redis:.0%} of the time; beyond {THREAD_MAX:.0%} "
                "its queue grows fast, so measure it, or use shards"
            )
        on_gateway = members_on_gateway(arch, workload)
        if on_gateway > BEYOND_MAX * self.members_max:
            return (
                f"a gateway would write each message to {on_gateway:,.0f} members of its room, "
                f"more than {BEYOND_MAX:g} times the {self.members_max:,.0f} that were measured"
            )
        return None

    def _predict(self, arch: str, at: Circumstances, slowness: float) -> LatencyPrediction:
        amounts = self.terms.amounts(arch, at)
        wait_ms = _tick_ms(at.workload, P50)
        p50 = _prediction(self.median, arch, amounts, wait_ms, slowness)
        if isinstance(self.tail, NotPredicted):
            return LatencyPrediction(p50, self.tail)
        tail, known_ms = _tail(self.terms, self.median.coefficients, arch, at)
        return LatencyPrediction(p50, _prediction(self.tail, arch, tail, known_ms, slowness))


def fit_latency(points: pd.DataFrame, machine_cores: int = 2) -> LatencyModel:
    """Fit to the points of harness.experiments.costs.observations, measured on a machine with that many cores.

    Only runs with a valid driver on a machine that was not full are used. A single run of a few seconds supports no
    99th percentile, but all of them together support the three factors that it is fitted with: each run counts by its
    number of independent messages, one with fewer than TAIL_MESSAGES_MIN not at all, and TAIL_TOGETHER_MIN are needed
    in sum. Raises ValueError if the runs are too few.
    """
    runs = usable(points, machine_cores)
    if runs.empty:
        raise ValueError("no run measured a latency with a valid driver on a machine that was not full")
    terms = terms_of(sorted(runs["arch"].unique()))
    usual_ms = float(runs["slowness_ms"].median())
    at = [
        (str(run["arch"]), as_measured(workload_of(run), float(run["machine_cores_used"]) / machine_cores))
        for _, run in runs.iterrows()
    ]
    amounts = np.array([terms.amounts(*each) for each in at])

    def measured(what: str, amounts: Floats, known: Floats, weights: Floats) -> Measured:
        values = runs[f"latency_from_sending_{what}_ms"].to_numpy(dtype=float)
        used = (weights > 0) & (known <= TICK_SHARE_MAX * values)
        return Measured(
            amounts=amounts[used],
            known=known[used],
            values=values[used],
            weights=weights[used] / weights[used].mean() if used.any() else weights[used],
            slowness=np.array([_relative_slowness(each, usual_ms) for each in runs["slowness_ms"]])[used],
            shapes=np.unique(shape_numbers(runs)[used], return_inverse=True)[1],
        )

    of_tick_ms = np.array([_tick_ms(each.workload, P50) for _, each in at])
    median = fit_relative(terms.names, measured("p50", amounts, of_tick_ms, np.ones(len(runs))))
    tails = [_tail(terms, median.coefficients, *each) for each in at]
    tail_amounts, tail_known = np.array([amounts for amounts, _ in tails]), np.array([known for _, known in tails])
    messages = runs["independent_messages"].to_numpy(dtype=float)
    messages = np.where(messages >= TAIL_MESSAGES_MIN, messages, 0.0)
    return LatencyModel(
        terms=terms,
        median=median,
        tail=_fit_tail(measured("p99", tail_amounts, tail_known, messages), round(float(messages.sum()))),
        cores=fit_cores(runs),
        machine_cores=machine_cores,
        members_max=max(members_on_gateway(arch, each.workload) for arch, each in at),
        slowness_ms=usual_ms,
    )


def usable(points: pd.DataFrame, machine_cores: int) -> pd.DataFrame:
    """The runs whose latency describes the architecture, with a column `machine_cores_used`."""
    runs = points.assign(machine_cores_used=machine_cores_used(points))
    return runs[
        (runs["driver_valid"] == True)  # noqa: E712 (a column of objects, where None is unknown)
        & (runs["latency_from_sending_p50_ms"] > 0)
        & (runs["machine_cores_used"] <= MACHINE_MAX * machine_cores)
        & (runs["hottest_gateway_cores"] <= THREAD_MAX)
    ].reset_index(drop=True)


def shape_numbers(runs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The number of each run's shape, from 0."""
    return np.array(runs.groupby(list(SHAPE), dropna=False).ngroup(), dtype=np.int64)


TAIL_TERMS = ("base", "sharing", "anything else")


def _fit_tail(runs: Measured, messages: int) -> RelativeFit | NotPredicted:
    shapes = len(set(runs.shapes.tolist()))
    if messages < TAIL_TOGETHER_MIN or shapes < TAIL_SHAPES_MIN:
        return NotPredicted(
            f"{len(runs.values)} runs of {shapes} shapes have {messages:,} independent messages together, and a 99th "
            f"percentile needs {TAIL_TOGETHER_MIN:,} of {TAIL_SHAPES_MIN} shapes"
        )
    return fit_relative(TAIL_TERMS, runs)


def _tail(terms: Terms, coefficients: Floats, arch: str, at: Circumstances) -> tuple[Floats, float]:
    """The amounts of TAIL_TERMS, and what is known of the 99th percentile beforehand, in ms.

    Members are written to one after another, so the last of a hundred waits twice as long as the one in the middle.
    """
    parts = terms.amounts(arch, at) * coefficients
    base, members, sharing = (float(parts @ terms.in_group(group)) for group in ("base", "members", "sharing"))
    return np.array([base, sharing, 1.0]), _tick_ms(at.workload, P99) + P99 / P50 * members


def _tick_ms(workload: Workload, quantile: float) -> float:
    return waiting_ms(workload.room_rate_per_s, workload.tick_s, quantile)


def _relative_slowness(slowness_ms: float, usual_ms: float) -> float:
    """1 where it was not measured."""
    relative = slowness_ms / usual_ms
    return relative if np.isfinite(relative) else 1.0


def _prediction(fitted: RelativeFit, arch: str, amounts: Floats, known_ms: float, slowness: float) -> Prediction:
    """The value, and that of each draw with a residual; the residuals of architectures are independent."""
    drawn = fitted.drawn(amounts, known_ms, slowness)
    noise = np.random.default_rng((DRAWS, *arch.encode())).choice(fitted.residuals, size=len(drawn))
    return Prediction(fitted.value(amounts, known_ms, slowness), drawn * (1 + noise))
