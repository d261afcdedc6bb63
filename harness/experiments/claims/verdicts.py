"""The rule that judges each claim. Expectations are figures wherever the claim gives one."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.ratio import Ratio
from harness.core.registry import candidates
from harness.core.units import figure_text
from harness.experiments.claims.claim import Finding, Panel, Picture, verdict_of
from harness.experiments.claims.durability import MESSAGES
from harness.experiments.claims.evidence import Evidence
from harness.experiments.claims.experiments import (
    CLUSTER_BROKERS,
    CLUSTER_PARTITIONS,
    CLUSTER_RATES_PER_S,
    CLUSTER_REPLICAS,
    GROUP_SIZES,
    PARTITION_COUNTS,
)

P50, P99, ACK_P50, JOIN_P50 = "latency_p50_ms", "latency_p99_ms", "ack_p50_ms", "join_p50_ms"
CPU = "cpu_system_us_per_delivery"
RECORDS, REQUESTS = "kafka_records_per_message", "kafka_produce_requests_per_message"
DISK, WASTED = "kafka_disk_bytes_per_message", "wasted_deliveries_per_message"
LOSSES = ("lost", "duplicated", "reordered")
CLEAR = 1.2  # the smallest ratio that counts as a difference when there is only one round
EXACT, CLOSE = 0.01, 0.10  # the allowed relative error of counts, and of sizes and shares


def near(value: float, expected: float, tolerance: float) -> bool:
    return abs(value - expected) <= tolerance * expected


def less(ratio: Ratio) -> bool | None:
    """Whether the first is less, or None if the rounds cannot tell. With one round, it must differ by a fifth."""
    if ratio.low is None or ratio.high is None:
        return True if ratio.value < 1 / CLEAR else False if ratio.value > CLEAR else None
    return True if ratio.high < 1 else False if ratio.low > 1 else None


def times(ratio: Ratio) -> str:
    interval = "" if ratio.low is None else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{ratio.value:.2f} times{interval}"


def share(part: float) -> str:
    return f"{figure_text(100 * part)} %"


def _means(evidence: Evidence, experiment: str, column: str, names: Sequence[str]) -> list[float | None]:
    """The mean of each architecture, or None where it was not measured."""
    return [evidence.found(experiment, column, name) for name in names]


def fragments(evidence: Evidence) -> Finding:
    """C1: with one consumer group, each member receives only a part of the chat."""
    measured, parts = [], []
    shares: list[float | None] = []
    least: list[float | None] = []
    most: list[float | None] = []
    for gateways in GROUP_SIZES:
        owed, got = (evidence.total("fragments", column, gateways=gateways) for column in ("expected", "delivered"))
        low, high = (
            100 * evidence.mean("fragments", column, gateways=gateways) for column in ("heard_least", "heard_most")
        )
        parts.append(near(got / owed, 1 / gateways, EXACT))
        shares.append(100 * got / owed)
        least.append(low)
        most.append(high)
        measured.append(
            f"{_gateways(gateways)} in one group: members received {share(got / owed)} of {owed:,} expected "
            f"deliveries, and each member received between {low:.1f} and {high:.1f} %."
        )
    panels = [
        Panel("received on average, %", shares, [100 / gateways for gateways in GROUP_SIZES]),
        Panel("lowest of a member, %", least),
        Panel("highest of a member, %", most),
    ]
    labels = [_gateways(gateways) for gateways in GROUP_SIZES]
    return Finding(
        verdict=verdict_of(parts), measured=measured, picture=Picture(labels, ["naive"] * len(labels), panels)
    )


def _gateways(count: int) -> str:
    return "1 gateway" if count == 1 else f"{count} gateways"


def writes(evidence: Evidence) -> Finding:
    """C2: n writes per message and n / m per broker; records are not requests."""
    records = {n: evidence.mean("writes", RECORDS, f"plan1 ({n} partitions)") for n in PARTITION_COUNTS}
    counts = ", ".join(f"{found:.4g} records with {n} partitions" for n, found in records.items())
    measured = [f"One broker: {counts}."]
    n, m = CLUSTER_PARTITIONS, CLUSTER_BROKERS
    labels = []
    appends: list[float | None] = []
    requests: list[float | None] = []
    expected: list[float | None] = []
    fits: dict[int, bool] = {}
    batched: list[bool] = []
    for r in CLUSTER_REPLICAS:
        arch = f"plan1 ({n} partitions, {m} brokers, dedup=1, replicas={r})"
        for rate_per_s in CLUSTER_RATES_PER_S:
            some = {"rate_per_s": rate_per_s}
            of_broker = evidence.mean("brokers", "kafka_appends_a_broker_max", arch, **some)
            of_all, requested = (evidence.mean("brokers", column, arch, **some) for column in (RECORDS, REQUESTS))
            fits[r] = fits.get(r, True) and near(of_broker, n * r / m, CLOSE)
            batched.append(requested < 0.9 * of_all)
            labels.append(f"r = {r}, {rate_per_s:g} msg/s")
            appends.append(of_broker)
            requests.append(requested / m)
            expected.append(n * r / m)
            measured.append(
                f"n = {n} partitions on m = {m} brokers, replication factor r = {r}, {rate_per_s:g} msg/s: the busiest "
                f"broker wrote {figure_text(of_broker)} records per message (n r / m = {n * r / m:g}); "
                f"on average a broker received {figure_text(requested / m)} produce requests per message."
            )
    reader_is_right = fits[m] and n * m / m == n
    if fits[1] and reader_is_right:
        measured.append(
            "n / m holds without replication. With a replica on every broker, each broker writes all n records, as the "
            "note's reader suspected: replicas are work, too."
        )
    if any(batched):
        measured.append("Records are not requests: at higher rates, a producer puts several records into one request.")
    panels = [
        Panel("written per broker\nand message, records", appends, expected),
        Panel("produced per broker\nand message, requests", requests),
    ]
    n_writes = all(near(found, count, EXACT) for count, found in records.items())
    return Finding(
        verdict=verdict_of([n_writes, fits[1], not reader_is_right]),
        measured=measured,
        picture=Picture(labels, ["plan1"] * len(labels), panels),
    )


def disk(evidence: Evidence) -> Finding:
    """C3: n times the bytes on disk."""
    measured, parts = [], []
    labels: list[str] = []
    archs: list[str] = []
    sizes: list[float | None] = []
    expected: list[float | None] = []
    for n in PARTITION_COUNTS:
        plan1 = evidence.mean("writes", DISK, f"plan1 ({n} partitions)")
        plan2 = evidence.mean("writes", DISK, f"plan2 ({n} partitions)")
        parts.append(near(plan1 / plan2, n, CLOSE))
        measured.append(
            f"{n} partitions: plan1 writes {plan1:,.0f} bytes per message, plan2 {plan2:,.0f}; plan1 writes "
            f"{plan1 / plan2:.2f} times as much."
        )
        labels += [f"plan1, {n} partitions", f"plan2, {n} partitions"]
        archs += ["plan1", "plan2"]
        sizes += [plan1, plan2]
        expected += [n * plan2, plan2]
    panel = Panel("disk per message, bytes", sizes, expected)
    return Finding(verdict=verdict_of(parts), measured=measured, picture=Picture(labels, archs, [panel]))


def duplicates(evidence: Evidence) -> Finding:
    """C4: several partitions per consumer."""
    one, two, dedup = "plan1 (2 partitions)", "plan1 (4 partitions)", "plan1 (4 partitions, dedup=1)"
    names = (one, two, dedup)
    copies = [
        1 + evidence.total("duplicates", "duplicated", name) / evidence.total("duplicates", "delivered", name)
        for name in names
    ]
    parts = [near(copies[0], 1, 0), near(copies[1], 2, EXACT), near(copies[2], 1, 0)]
    cost = evidence.ratio("duplicates", CPU, dedup, one)
    undone = evidence.ratio("duplicates", CPU, dedup, two)
    measured = [
        f"With one partition for each of two gateways, every member received every message {copies[0]:.2f} times; with "
        f"two partitions each {copies[1]:.2f} times; with two each, and copies dropped by their id, {copies[2]:.2f} "
        "times.",
        f"Dropping copies takes {times(cost)} the CPU of the ratio 1:1, because every copy is still written and read. "
        f"It takes {times(undone)} the CPU of delivering the copies.",
    ]
    labels = ["1 partition per gateway", "2 per gateway", "2, copies dropped"]
    panels = [
        Panel("a message was\nreceived, times", list(copies), [1.0, 2.0, 1.0]),
        Panel("CPU of gateways + broker\nper delivery, us", _means(evidence, "duplicates", CPU, names)),
    ]
    return Finding(verdict=verdict_of(parts), measured=measured, picture=Picture(labels, ["plan1"] * 3, panels))


def joins(evidence: Evidence) -> Finding:
    """C5: where a user connects, and how many joins are redirected."""
    measured, parts, labels, archs, redirected, expected, took = [], [], [], [], [], [], []
    for gateways in (2, 4):
        for arch, due in (("plan1", 0.0), ("plan2", 1 - 1 / gateways)):
            some = {"gateways": gateways}
            joined = evidence.total("joins", "joins", arch, **some)
            found = evidence.total("joins", "joins_redirected", arch, **some) / joined
            parts.append(found == 0 if due == 0 else near(found, due, CLOSE))
            labels.append(f"{arch}, {gateways} gateways")
            archs.append(arch)
            redirected.append(100 * found)
            expected.append(100 * due)
            took.append(evidence.mean("joins", JOIN_P50, arch, **some))
            measured.append(
                f"{arch} with {gateways} gateways: {share(found)} of {joined:,} joins were redirected; "
                f"the median join took {took[-1]:.1f} ms."
            )
    panels = [
        Panel("joins redirected, %", list(redirected), list(expected)),
        Panel("median time to join, ms", list(took)),
    ]
    return Finding(verdict=verdict_of(parts), measured=measured, picture=Picture(labels, archs, panels))


LOADS = (
    ("many_rooms", "80 rooms of 5"),
    ("zipf_rooms", "40 rooms, Zipf"),
    ("zipf_rooms (exponent=2)", "40 rooms, steep"),
    ("big_room", "one room"),
)


def hot(evidence: Evidence) -> Finding:
    """C6: a huge room under Plan 2 is a hot partition."""
    measured, labels, archs, shares, p99 = [], [], [], [], []
    found: dict[tuple[str, str], float] = {}
    for scenario, name in LOADS:
        sentences = []
        for arch in ("plan1", "plan2"):
            of_all = evidence.mean("hot", "hottest_gateway_share", arch, scenario=scenario)
            found[arch, scenario] = of_all
            labels.append(f"{arch}, {name}")
            archs.append(arch)
            shares.append(100 * of_all)
            p99.append(evidence.found("hot", P99, arch, scenario=scenario))
            p99_text = "not valid" if p99[-1] is None else f"{p99[-1]:.1f} ms"
            sentences.append(
                f"with {arch} the busiest of four gateways made {share(of_all)} of the deliveries, and the p99 "
                f"was {p99_text}"
            )
        measured.append(f"{name}: {'; '.join(sentences)}.")
    slower = evidence.ratio("hot", P99, "plan2", "plan1", scenario="big_room")
    measured.append(f"In one room plan2's p99 is {times(slower)} plan1's.")
    faster = less(slower)
    if faster:
        measured.append(
            "The whole room is on one gateway. As long as that gateway has CPU to spare, one write and one read of "
            "each message are faster than four writes."
        )
    concentrated = found["plan2", "big_room"] > 1 - EXACT and near(found["plan1", "big_room"], 1 / 4, CLOSE)
    grows = found["plan2", "many_rooms"] < found["plan2", "zipf_rooms (exponent=2)"] <= found["plan2", "big_room"]
    panels = [
        Panel("deliveries by the\nbusiest gateway, %", list(shares), [25.0 if a == "plan1" else None for a in archs]),
        Panel("p99 delivery latency, ms", list(p99)),
    ]
    return Finding(
        verdict=verdict_of([concentrated, grows, faster is False]),
        measured=measured,
        picture=Picture(labels, archs, panels),
    )


def redis(evidence: Evidence) -> Finding:
    """C7: would Redis be better than both plans?"""
    measured, parts = [], []
    for experiment, name in (("one_room", "One room"), ("small_rooms", "Small rooms")):
        sentences = []
        for over in ("plan1", "plan2"):
            latency, cpu = (evidence.ratio(experiment, column, "redis", over) for column in (P50, CPU))
            parts += [less(latency), less(cpu)]
            sentences.append(f"its median latency is {times(latency)} that of {over}, and its CPU {times(cpu)}")
        measured.append(f"{name}: {'; '.join(sentences)}.")
    faster_and_cheaper = all(part is True for part in parts)
    lost = {name: _lost(evidence, name) for name in ("redis", "plan2", "kafka-broadcast")}
    for name, (count, unacked) in lost.items():
        measured.append(
            f"{name}, with its backend killed and restarted: {count:,} deliveries lost, {unacked:,} messages not acked."
        )
    kept = {each.arch: each for each in evidence.readable}
    measured += [
        f"{each.arch}: {each.readable} of {each.acked} acked messages could be read after the restart."
        for each in evidence.readable
    ]
    safe = lost["redis"][0] == 0
    remembers = "redis" in kept and kept["redis"].readable == kept["redis"].acked
    return Finding(
        verdict=verdict_of([faster_and_cheaper, safe, remembers]),
        measured=measured,
        picture=_side_by_side(evidence, "one_room", ("redis", "plan1", "plan2")),
    )


def _lost(evidence: Evidence, name: str) -> tuple[int, int]:
    runs = evidence.of("restarts", name)
    return int(runs["lost"].sum()), int((runs["sent"] - runs["acked"]).sum())


def _side_by_side(evidence: Evidence, experiment: str, names: Sequence[str]) -> Picture:
    panels = [
        Panel("median latency, ms", _means(evidence, experiment, P50, names)),
        Panel("median ack, ms", _means(evidence, experiment, ACK_P50, names)),
        Panel("CPU per delivery, us", _means(evidence, experiment, CPU, names)),
    ]
    return Picture(list(names), list(names), panels)


def both(evidence: Evidence) -> Finding:
    """C8: Kafka together with Redis."""
    measured, dearer = [], []
    for experiment, name in (("one_room", "One room"), ("small_rooms", "Small rooms")):
        sentences = []
        for over in ("redis", "plan2"):
            latency, cpu = (evidence.ratio(experiment, column, "kafka-redis", over) for column in (P50, CPU))
            dearer.append(latency.value > 1 and cpu.value > 1)
            sentences.append(f"its median latency is {times(latency)} that of {over}, and its CPU {times(cpu)}")
        measured.append(f"{name}: {'; '.join(sentences)}.")
    kept = {each.arch: each.readable for each in evidence.readable}
    wasted = {name: evidence.mean("small_rooms", WASTED, name) for name in candidates()}
    lost, unacked = _lost(evidence, "kafka-redis")
    remembers = kept.get("kafka-redis", 0) > 0 == kept.get("redis", 0)
    measured += [
        f"Advantage over redis: {kept.get('kafka-redis', 0)} of {MESSAGES} messages can be read after a restart, with "
        f"redis {kept.get('redis', 0)}. With Redis killed and restarted, {lost:,} deliveries were lost and {unacked:,} "
        "messages were not acked.",
        "Advantage over plan2: any gateway serves any room, so no member is redirected.",
        "Advantage over plan1 and kafka-broadcast: only gateways with members of a room get its messages. Copies per "
        f"message that reach a gateway without the room: {wasted['kafka-redis']:.2f}, with plan1 "
        f"{wasted['plan1']:.2f}, with kafka-broadcast {wasted['kafka-broadcast']:.2f}.",
    ]
    buys = remembers and lost == 0 and wasted["kafka-redis"] < EXACT
    return Finding(
        verdict=verdict_of([all(dearer), buys]),
        measured=measured,
        picture=_side_by_side(evidence, "small_rooms", ("kafka-redis", "redis", "plan2", "kafka-broadcast")),
    )


def broadcast(evidence: Evidence) -> Finding:
    """C9: one consumer group per gateway."""
    name, measured, parts = "kafka-broadcast", [], []
    for experiment, title in (("one_room", "One room"), ("small_rooms", "Small rooms")):
        runs = evidence.of(experiment, name)
        whole = int(runs["expected"].sum()) == int(runs["delivered"].sum()) and not runs[list(LOSSES)].to_numpy().sum()
        records, plan1 = evidence.mean(experiment, RECORDS, name), evidence.mean(experiment, RECORDS, "plan1")
        latency, cpu = (evidence.ratio(experiment, column, name, "plan1") for column in (P50, CPU))
        parts += [bool(whole), near(records, 1, EXACT)]
        measured.append(
            f"{title}: {int(runs['delivered'].sum()):,} of {int(runs['expected'].sum()):,} deliveries, "
            f"{'none' if whole else 'some'} lost, duplicated or out of order. It writes {records:.4g} record per "
            f"message, plan1 {plan1:.4g}. Its median latency is {times(latency)} plan1's, and its CPU {times(cpu)}."
        )
    wasted = [evidence.mean("small_rooms", WASTED, each) for each in (name, "plan1")]
    measured.append(
        f"It still pays a part of plan1's price: in small rooms, {wasted[0]:.2f} copies per message reach gateways "
        f"without the room (plan1 {wasted[1]:.2f})."
    )
    names = (name, "plan1", "plan2")
    panels = [
        Panel("written per message,\nrecords", _means(evidence, "small_rooms", RECORDS, names), [1.0, 4.0, 1.0]),
        Panel("median latency, ms", _means(evidence, "small_rooms", P50, names)),
        Panel("CPU per delivery, us", _means(evidence, "small_rooms", CPU, names)),
    ]
    return Finding(verdict=verdict_of(parts), measured=measured, picture=Picture(list(names), list(names), panels))
