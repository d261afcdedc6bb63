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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.analysis.percentiles import messages_needed
from harness.experiments.costs.fit import DRAWS, Floats, Interval, Prediction
from harness.experiments.costs.latency_terms import Circumstances, Terms, as_measured, by_itself, terms_of
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.occupancy import Cores, fit_cores, machine_cores_used, members_on_gateway
from harness.experiments.costs.relative_fit import Measured, RelativeFit, fit_relative
from harness.experiments.costs.tick_wait import waiting_ms
from harness.experiments.costs.workload import Workload
from harness.gateway.adaptive_tick import EASY, TICK_MIN_S

SHAPE = ("gateways", "rooms", "members", "payload_bytes")
THREAD_MAX = EASY  # of one core; beyond this, a gateway's tick grows, and a queue takes as long as what it waits for
MACHINE_MAX = 0.75  # of its cores; beyond this, a run says more about the machine than about the architecture
BEYOND_MAX = 10.0  # times the largest room on a gateway that was measured
P50, P99 = 0.50, 0.99
P99_MESSAGES = messages_needed(99)
P99_SHAPES_MIN = 6


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
        groups, tail_ms = _grouped(self.terms, self.median.coefficients, amounts), _tick_ms(at.workload, P99)
        return LatencyPrediction(p50, _prediction(self.tail, arch, groups, tail_ms, slowness))


def fit_latency(points: pd.DataFrame, machine_cores: int = 2) -> LatencyModel:
    """Fit to the points of harness.experiments.costs.observations, measured on a machine with that many cores.

    Only runs with a valid driver on a machine that was not full are used, and for the 99th percentile only those that
    support one (harness.analysis.percentiles). Raises ValueError if the runs are too few.
    """
    runs = usable(points, machine_cores)
    if runs.empty:
        raise ValueError("no run measured a latency with a valid driver on a machine that was not full")
    terms = terms_of(sorted(runs["arch"].unique()))
    usual_ms = float(runs["slowness_ms"].median())
    circumstances = [
        (str(run["arch"]), as_measured(workload_of(run), float(run["machine_cores_used"]) / machine_cores))
        for _, run in runs.iterrows()
    ]
    amounts = np.array([terms.amounts(arch, at) for arch, at in circumstances])
    slowness = np.array([_relative_slowness(each, usual_ms) for each in runs["slowness_ms"]])
    shapes = shape_numbers(runs)

    def measured(column: str, amounts: Floats, quantile: float, rows: npt.NDArray[np.bool_]) -> Measured:
        known = np.array([_tick_ms(at.workload, quantile) for _, at in circumstances])
        messages = runs["independent_messages"].to_numpy(dtype=float)
        return Measured(
            amounts=amounts[rows],
            known=known[rows],
            values=runs[column].to_numpy(dtype=float)[rows],
            weights=np.ones(int(rows.sum())) if quantile == P50 else messages[rows] / messages[rows].mean(),
            slowness=slowness[rows],
            shapes=np.unique(shapes[rows], return_inverse=True)[1],
        )

    every = np.ones(len(runs), dtype=bool)
    median = fit_relative(terms.names, measured("latency_from_sending_p50_ms", amounts, P50, every))
    grouped = np.array([_grouped(terms, median.coefficients, row) for row in amounts])
    supported = (
        runs["latency_from_sending_p99_ms"].notna().to_numpy()
        & (runs["independent_messages"] >= P99_MESSAGES).to_numpy()
    )
    return LatencyModel(
        terms=terms,
        median=median,
        tail=_fit_tail(
            lambda: measured("latency_from_sending_p99_ms", grouped, P99, supported), shapes[supported], len(runs)
        ),
        cores=fit_cores(runs),
        machine_cores=machine_cores,
        members_max=max(members_on_gateway(arch, at.workload) for arch, at in circumstances),
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


TAIL_GROUPS = ("base", "members", "sharing", "anything else")


def _fit_tail(runs: Callable[[], Measured], shapes: npt.NDArray[np.int64], of: int) -> RelativeFit | NotPredicted:
    found = len(set(shapes.tolist()))
    if found < P99_SHAPES_MIN:
        return NotPredicted(
            f"{len(shapes)} of {of} runs, of {found} shapes, have the {P99_MESSAGES:,} independent messages that "
            f"support a 99th percentile, and {P99_SHAPES_MIN} shapes are needed"
        )
    return fit_relative(TAIL_GROUPS, runs())


def _grouped(terms: Terms, coefficients: Floats, amounts: Floats) -> Floats:
    """What each group of terms adds to the median, in ms, and 1 for what only the tail has."""
    parts = amounts * coefficients
    return np.array([*(float(parts @ terms.in_group(group)) for group in ("base", "members", "sharing")), 1.0])


def _tick_ms(workload: Workload, quantile: float) -> float:
    return waiting_ms(workload.room_rate_per_s, TICK_MIN_S, quantile)


def _relative_slowness(slowness_ms: float, usual_ms: float) -> float:
    """1 where it was not measured."""
    relative = slowness_ms / usual_ms
    return relative if np.isfinite(relative) else 1.0


def _prediction(fitted: RelativeFit, arch: str, amounts: Floats, known_ms: float, slowness: float) -> Prediction:
    """The value, and that of each draw with a residual; the residuals of architectures are independent."""
    drawn = fitted.drawn(amounts, known_ms, slowness)
    noise = np.random.default_rng((DRAWS, *arch.encode())).choice(fitted.residuals, size=len(drawn))
    return Prediction(fitted.value(amounts, known_ms, slowness), drawn * (1 + noise))
