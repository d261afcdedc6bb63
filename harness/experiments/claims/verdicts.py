"""The rules for what is written, and for what members receive of it: claims C1 to C4."""

from __future__ import annotations

from functools import partial

from harness.analysis.contrasts import Contrast
from harness.core.units import figure_text
from harness.experiments.claims.claim import Judgement, Panel, Picture
from harness.experiments.claims.evidence import (
    APPENDS,
    CLOSE,
    CPU,
    DISK,
    EXACT,
    KAFKA_CPU,
    RECORDS,
    REQUESTS,
    Evidence,
    known,
    near,
)
from harness.experiments.claims.experiments import (
    BATCHED_RATE_PER_S,
    CLUSTER_BROKERS,
    CLUSTER_PARTITIONS,
    CLUSTER_RATE_PER_S,
    CLUSTER_REPLICAS,
    GROUP_SIZES,
    PARTITION_COUNTS,
)
from harness.experiments.claims.findings import Compared, Count, Counted, Relation, findings_of


def fragments(evidence: Evidence) -> Judgement:
    """C1: with one consumer group, each member receives only a part of the chat."""
    parts = [
        Counted(
            f"With {_gateways(each)} in one group, members receive {_part(each)} of the chat", partial(_received, each)
        )
        for each in GROUP_SIZES
    ]
    for each in GROUP_SIZES:
        if each > 1:
            finding = f"With {_gateways(each)} in one group, no member receives the whole chat"
            parts.append(Counted(finding, partial(_received_most, each)))
    labels = [_gateways(each) for each in GROUP_SIZES]
    panels = [
        Panel(
            "received on average, %",
            [known(partial(_received_percent, evidence, each)) for each in GROUP_SIZES],
            [100 / each for each in GROUP_SIZES],
        ),
        Panel(
            "lowest of a member, %", [known(partial(_heard_percent, evidence, "least", each)) for each in GROUP_SIZES]
        ),
        Panel(
            "highest of a member, %", [known(partial(_heard_percent, evidence, "most", each)) for each in GROUP_SIZES]
        ),
    ]
    return Judgement(findings=findings_of(parts, evidence), picture=Picture(labels, ["naive"] * len(labels), panels))


def _gateways(count: int) -> str:
    return "1 gateway" if count == 1 else f"{count} gateways"


def _part(gateways: int) -> str:
    return "all" if gateways == 1 else f"1 / {gateways}"


def _received_percent(evidence: Evidence, gateways: int) -> float:
    owed, got = (evidence.total("fragments", column, gateways=gateways) for column in ("expected", "delivered"))
    return 100 * got / owed


def _heard_percent(evidence: Evidence, which: str, gateways: int) -> float:
    """Of the member that received least or most."""
    values = evidence.each("fragments", f"heard_{which}", gateways=gateways)
    return 100 * (min(values) if which == "least" else max(values))


def _received(gateways: int, evidence: Evidence) -> Count:
    percent = _received_percent(evidence, gateways)
    owed = evidence.total("fragments", "expected", gateways=gateways)
    return Count(
        near(percent, 100 / gateways, EXACT),
        f"{figure_text(percent)} % of {owed:,} expected deliveries",
        evidence.sent("fragments", gateways=gateways),
        "messages",
    )


def _received_most(gateways: int, evidence: Evidence) -> Count:
    least, most = (_heard_percent(evidence, which, gateways) for which in ("least", "most"))
    return Count(
        most < 100 * (1 - EXACT),
        f"each received between {least:.1f} and {most:.1f} %",
        evidence.sent("fragments", gateways=gateways),
        "messages",
    )


def writes(evidence: Evidence) -> Judgement:
    """C2: n writes per message, n / m requests per broker, and what replicas add."""
    n, m = CLUSTER_PARTITIONS, CLUSTER_BROKERS
    parts: list[Counted | Compared] = [
        Counted(f"With {each} partitions on one broker, a message is {each} records", partial(_records, each))
        for each in PARTITION_COUNTS
    ]
    for rate_per_s in CLUSTER_RATES_PER_S:
        at = f"With n = {n} partitions on m = {m} brokers and no replicas, at {rate_per_s:,g} msg/s"
        parts += [
            Counted(f"{at}, the busiest broker writes n / m records per message", partial(_appends, rate_per_s)),
            Counted(f"{at}, a broker receives n / m produce requests per message", partial(_requests, rate_per_s)),
        ]
    parts.append(
        Compared(
            f"Three replicas instead of one leave the brokers' CPU time equal within 10 %, at {BATCHED_RATE_PER_S:,g} "
            "msg/s",
            Relation.EQUAL,
            _replication_cpu,
        )
    )
    labels = []
    appends: list[float | None] = []
    requests: list[float | None] = []
    cores: list[float | None] = []
    expected: list[float | None] = []
    for replicas in CLUSTER_REPLICAS:
        for rate_per_s in CLUSTER_RATES_PER_S:
            labels.append(f"r = {replicas}, {rate_per_s:g} msg/s")
            arch, of_rate = _on_cluster(replicas), {"rate_per_s": rate_per_s}
            appends.append(known(partial(_mean, evidence, "brokers", APPENDS, arch, **of_rate)))
            all_requests = known(partial(_mean, evidence, "brokers", REQUESTS, arch, **of_rate))
            requests.append(None if all_requests is None else all_requests / m)
            cores += evidence.means("brokers", KAFKA_CPU, (arch,), **of_rate)
            expected.append(n * replicas / m)
    panels = [
        Panel("written per broker\nand message, records", appends, expected),
        Panel("produced per broker\nand message, requests", requests),
        Panel("CPU time of all\nbrokers, cores", cores),
    ]
    notes = [
        f"With a replica on every one of the {m} brokers, each broker stores all n records of a message. This is what "
        "a replica is, so it is shown in the chart and is not a finding; what it costs is one."
    ]
    return Judgement(
        findings=findings_of(parts, evidence),
        notes=notes,
        picture=Picture(labels, ["plan1"] * len(labels), panels),
    )


CLUSTER_RATES_PER_S = (CLUSTER_RATE_PER_S, BATCHED_RATE_PER_S)


def _on_cluster(replicas: int) -> str:
    return f"plan1 ({CLUSTER_PARTITIONS} partitions, {CLUSTER_BROKERS} brokers, dedup=1, replicas={replicas})"


def _mean(evidence: Evidence, experiment: str, column: str, arch: str, **columns: object) -> float:
    """The mean over rounds of a counter per message."""
    values = evidence.each(experiment, column, arch, **columns)
    return sum(values) / len(values)


def _records(partitions: int, evidence: Evidence) -> Count:
    arch = f"plan1 ({partitions} partitions)"
    found = evidence.each("writes", RECORDS, arch)
    is_right = all(near(each, partitions, EXACT) for each in found)
    return Count(is_right, f"{max(found):.4g} records", evidence.sent("writes", arch), "messages")


def _appends(rate_per_s: float, evidence: Evidence) -> Count:
    found = evidence.each("brokers", APPENDS, _on_cluster(1), rate_per_s=rate_per_s)
    due = CLUSTER_PARTITIONS / CLUSTER_BROKERS
    sent = evidence.sent("brokers", _on_cluster(1), rate_per_s=rate_per_s)
    is_right = all(near(each, due, EXACT) for each in found)
    return Count(is_right, f"{figure_text(max(found))} records; n / m is {due:g}", sent, "messages")


def _requests(rate_per_s: float, evidence: Evidence) -> Count:
    all_brokers = evidence.each("brokers", REQUESTS, _on_cluster(1), rate_per_s=rate_per_s)
    found = [each / CLUSTER_BROKERS for each in all_brokers]
    due = CLUSTER_PARTITIONS / CLUSTER_BROKERS
    sent = evidence.sent("brokers", _on_cluster(1), rate_per_s=rate_per_s)
    is_right = all(near(each, due, CLOSE) for each in found)
    measured = f"{figure_text(sum(found) / len(found))} requests on average; n / m is {due:g}"
    return Count(is_right, measured, sent, "messages")


def _replication_cpu(evidence: Evidence) -> Contrast:
    replicated, single = _on_cluster(CLUSTER_BROKERS), _on_cluster(1)
    return evidence.contrast("brokers", KAFKA_CPU, replicated, single, rate_per_s=BATCHED_RATE_PER_S)


def disk(evidence: Evidence) -> Judgement:
    """C3: n times the bytes on disk."""
    labels, archs = [], []
    sizes: list[float | None] = []
    expected: list[float | None] = []
    parts = []
    for n in PARTITION_COUNTS:
        plan1, plan2 = f"plan1 ({n} partitions)", f"plan2 ({n} partitions)"
        contrast = partial(Evidence.contrast, experiment="writes", column=DISK, first=plan1, second=plan2, parts=n)
        finding = f"With {n} partitions, plan1's bytes per message divided by {n} equal plan2's within 10 %"
        parts.append(Compared(finding, Relation.EQUAL, contrast))
        one, other = evidence.means("writes", DISK, (plan1, plan2))
        labels += [f"plan1, {n} partitions", f"plan2, {n} partitions"]
        archs += ["plan1", "plan2"]
        sizes += [one, other]
        expected += [None if other is None else n * other, other]
    panel = Panel("disk per message, bytes", sizes, expected)
    return Judgement(findings=findings_of(parts, evidence), picture=Picture(labels, archs, [panel]))


def duplicates(evidence: Evidence) -> Judgement:
    """C4: several partitions per consumer, and what dropping copies costs."""
    variants = {
        "plan1 (2 partitions)": ("With one partition for each gateway", 1.0, 0.0),
        "plan1 (4 partitions)": ("With two partitions for each gateway", 2.0, EXACT),
        "plan1 (4 partitions, dedup=1)": (
            "With two partitions for each gateway, and copies dropped by their id",
            1.0,
            0.0,
        ),
    }
    one, _, dropped = variants
    parts: list[Counted | Compared] = [
        Counted(f"{setup}, every member receives every message {_often(times)}", partial(_copies, name, times, within))
        for name, (setup, times, within) in variants.items()
    ]
    parts.append(
        Compared(
            "Dropping copies takes more CPU time than one partition for each gateway, because every copy is still "
            "written and read",
            Relation.MORE,
            partial(Evidence.contrast, experiment="duplicates", column=CPU, first=dropped, second=one),
        )
    )
    labels = ["1 partition per gateway", "2 per gateway", "2, copies dropped"]
    copies = [known(partial(_times_received, evidence, name)) for name in variants]
    panels = [
        Panel("a message was\nreceived, times", copies, [times for _, times, _ in variants.values()]),
        Panel("CPU of gateways + broker,\nms/s", evidence.means("duplicates", CPU, tuple(variants))),
    ]
    return Judgement(findings=findings_of(parts, evidence), picture=Picture(labels, ["plan1"] * 3, panels))


def _often(times: float) -> str:
    return "once" if times == 1 else "twice"


def _times_received(evidence: Evidence, name: str) -> float:
    beyond, first = (evidence.total("duplicates", column, name) for column in ("duplicated", "delivered"))
    return 1 + beyond / first


def _copies(name: str, due: float, within: float, evidence: Evidence) -> Count:
    beyond, first = (evidence.total("duplicates", column, name) for column in ("duplicated", "delivered"))
    return Count(
        near(1 + beyond / first, due, within),
        f"{beyond:,} copies beyond {first:,} deliveries",
        evidence.sent("duplicates", name),
        "messages",
    )
