"""The rules for where users connect and where a room lives: claims C5 and C6."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from harness.analysis.contrasts import CONFIDENCE
from harness.core.registry import candidates
from harness.core.units import figure_text
from harness.experiments.claims.claim import Judgement, Panel, Picture
from harness.experiments.claims.evidence import (
    CLOSE,
    EXACT,
    JOIN_P50,
    P50,
    SPREAD_P50,
    Evidence,
    InsufficientData,
    known,
    near,
    share_text,
)
from harness.experiments.claims.experiments import HUGE_ROOM_MEMBERS, LARGE_GROUP, SMALL_GROUP
from harness.experiments.claims.findings import Compared, Count, Counted, Relation, findings_of


def joins(evidence: Evidence) -> Judgement:
    """C5: where a user connects, how many joins are redirected, and how long a join takes."""
    parts: list[Counted | Compared] = []
    labels, archs = [], []
    redirected: list[float | None] = []
    expected: list[float | None] = []
    took: list[float | None] = []
    for gateways in (SMALL_GROUP, LARGE_GROUP):
        means = evidence.means("joins", JOIN_P50, ("plan1", "plan2"), gateways=gateways)
        for arch, due, mean in zip(("plan1", "plan2"), (0.0, 1 - 1 / gateways), means, strict=True):
            at = f"{arch} with {gateways} gateways"
            if due:
                count = partial(_redirects, arch, gateways, due)
                parts.append(Counted(f"{at}: {share_text(due)} of the joins are redirected", count))
            else:
                parts.append(Counted(f"{at}: no join is redirected", partial(_no_redirects, arch, gateways)))
            labels.append(f"{arch}, {gateways} gateways")
            archs.append(arch)
            found = known(partial(_redirected, evidence, arch, gateways))
            redirected.append(None if found is None else 100 * found)
            expected.append(100 * due)
            took.append(mean)
    contrast = partial(
        Evidence.contrast, experiment="joins", column=JOIN_P50, first="plan2", second="plan1", gateways=LARGE_GROUP
    )
    parts.append(
        Compared(f"The median join takes longer with plan2, on {LARGE_GROUP} gateways", Relation.MORE, contrast)
    )
    panels = [Panel("joins redirected, %", redirected, expected), Panel("median time to join, ms", took)]
    return Judgement(findings=findings_of(parts, evidence), picture=Picture(labels, archs, panels))


def _redirected(evidence: Evidence, arch: str, gateways: int) -> float:
    redirects, joined = _redirects_and_joins(evidence, arch, gateways)
    return redirects / joined


def _redirects_and_joins(evidence: Evidence, arch: str, gateways: int) -> tuple[int, int]:
    some = {"gateways": gateways}
    redirects, joined = (evidence.total("joins", column, arch, **some) for column in ("joins_redirected", "joins"))
    if not joined:
        raise InsufficientData(f"nobody joined {arch} in joins")
    return redirects, joined


def _no_redirects(arch: str, gateways: int, evidence: Evidence) -> Count:
    redirects, joined = _redirects_and_joins(evidence, arch, gateways)
    return Count(redirects == 0, f"{redirects:,} of {joined:,}", joined, "joins")


def _redirects(arch: str, gateways: int, due: float, evidence: Evidence) -> Count:
    """Supported if the interval of the share lies within 10 % of the expectation, refuted if it leaves that out."""
    redirects, joined = _redirects_and_joins(evidence, arch, gateways)
    low, high = share_interval(redirects, joined)
    is_close = (1 - CLOSE) * due < low and high < (1 + CLOSE) * due
    is_as_expected = True if is_close else None if low <= due <= high else False
    measured = f"{share_text(redirects / joined)} ({100 * low:.1f} to {100 * high:.1f} %)"
    return Count(is_as_expected, measured, joined, "joins")


def share_interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, Probable inference, JASA 22, 1927)."""
    from scipy.stats import binomtest  # noqa: PLC0415 - half a second

    interval = binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


# The scenarios of the experiment, from the most even load to the most uneven one, and what they are called.
LOADS = {
    "many_rooms": "80 rooms of 5",
    "zipf_rooms": "40 rooms, Zipf",
    "zipf_rooms (exponent=2)": "40 rooms, steep",
    "big_room": "one room",
}


def hot(evidence: Evidence) -> Judgement:
    """C6: a huge room under Plan 2 is a hot partition, and how late messages are in one that is really large."""
    huge = f"one room of {HUGE_ROOM_MEMBERS:,} members"
    others = [name for name in candidates() if name != "plan2"]
    parts: list[Counted | Compared] = [
        Counted("With plan2, the busiest of four gateways makes all deliveries of one room", _concentrated),
        Counted("With plan2, its share grows from small rooms by way of Zipf's law to one room", _grows),
        Counted("With plan1, it makes a quarter of the deliveries under each of these loads", _stays_even),
    ]
    for name in others:
        contrast = partial(Evidence.contrast, experiment="huge_room", column=P50, first="plan2", second=name)
        parts.append(Compared(f"In {huge}, plan2's median latency is above that of {name}", Relation.MORE, contrast))
    spread = partial(Evidence.contrast, experiment="huge_room", column=SPREAD_P50, first="plan2", second="plan1")
    finding = f"In {huge}, the median time from the first to the last recipient is longer with plan2 than with plan1"
    parts.append(Compared(finding, Relation.MORE, spread))
    return Judgement(
        findings=findings_of(parts, evidence), notes=_not_full(evidence), picture=_hot_picture(evidence, candidates())
    )


def _shares(evidence: Evidence, arch: str, scenario: str) -> list[float]:
    return evidence.each("hot", "hottest_gateway_share", arch, scenario=scenario)


def _hot_messages(evidence: Evidence, arch: str) -> int:
    return sum(evidence.sent("hot", arch, scenario=scenario) for scenario in LOADS)


def _concentrated(evidence: Evidence) -> Count:
    least = min(_shares(evidence, "plan2", "big_room"))
    sent = evidence.sent("hot", "plan2", scenario="big_room")
    return Count(least > 1 - EXACT, f"{share_text(least)}", sent, "messages")


def _grows(evidence: Evidence) -> Count:
    shares = {scenario: _shares(evidence, "plan2", scenario) for scenario in LOADS}
    grows = all(max(shares[before]) < min(shares[after]) for before, after in pairwise(LOADS))
    measured = ", ".join(f"{LOADS[scenario]} {share_text(max(found))}" for scenario, found in shares.items())
    return Count(grows, measured, _hot_messages(evidence, "plan2"), "messages")


def _stays_even(evidence: Evidence) -> Count:
    found = [each for scenario in LOADS for each in _shares(evidence, "plan1", scenario)]
    is_even = all(near(each, 1 / 4, CLOSE) for each in found)
    measured = f"{share_text(min(found))} to {share_text(max(found))}"
    return Count(is_even, measured, _hot_messages(evidence, "plan1"), "messages")


def _not_full(evidence: Evidence) -> list[str]:
    """How busy the busiest gateway was in the huge room: a full one would be slow for another reason."""
    plan1, plan2 = evidence.means("huge_room", "hottest_gateway_cores", ("plan1", "plan2"))
    if plan1 is None or plan2 is None:
        return []
    return [
        f"The busiest gateway used {figure_text(plan2)} cores in the huge room with plan2, and {figure_text(plan1)} "
        "with plan1."
    ]


def _hot_picture(evidence: Evidence, names: list[str]) -> Picture:
    labels, archs, latencies = [], [], []
    shares: list[float | None] = []
    for experiment, scenario, title, of_load in (
        *(("hot", scenario, title, ["plan1", "plan2"]) for scenario, title in LOADS.items()),
        ("huge_room", "big_room", f"{HUGE_ROOM_MEMBERS:,} in a room", names),
    ):
        labels += [f"{arch}, {title}" for arch in of_load]
        archs += of_load
        shares += [known(partial(_hottest_percent, evidence, experiment, arch, scenario)) for arch in of_load]
        latencies += evidence.means(experiment, P50, of_load, scenario=scenario)
    panels = [Panel("deliveries by the\nbusiest gateway, %", shares), Panel("median latency, ms", latencies)]
    return Picture(labels, archs, panels)


def _hottest_percent(evidence: Evidence, experiment: str, arch: str, scenario: str) -> float:
    return 100 * max(evidence.each(experiment, "hottest_gateway_share", arch, scenario=scenario))
