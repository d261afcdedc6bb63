"""The rules for the alternatives to the note's two plans: Redis, Kafka with Redis, a group per gateway (C7 to C9)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.experiments.claims.claim import Judgement, Panel, Picture
from harness.experiments.claims.evidence import (
    CPU,
    EXACT,
    P50,
    RECORDS,
    WASTED,
    Evidence,
    InsufficientData,
    near,
    share_text,
)
from harness.experiments.claims.experiments import LARGE_GROUP
from harness.experiments.claims.findings import Compared, Count, Counted, Relation, findings_of

CHATS = {"one_room": "one room", "small_rooms": "small rooms"}
FIGURES = {P50: "median latency", CPU: "CPU time"}


def redis(evidence: Evidence) -> Judgement:
    """C7: would Redis be better than both plans?"""
    parts: list[Counted | Compared] = [
        *_compared("redis", Relation.LESS, "is below", ("plan1", "plan2")),
        Counted("redis loses no delivery of an acked message when its backend is restarted", partial(_kept, "redis")),
        Counted("With redis, acked messages can be read after a restart", partial(_read, "redis")),
    ]
    notes = [
        *(_restart_note(evidence, name) for name in ("plan2", "kafka-broadcast")),
        *(
            f"{each.arch}: {each.readable} of {each.acked} acked messages could be read after the restart."
            for each in evidence.readable
            if each.arch != "redis"
        ),
    ]
    picture = _side_by_side(evidence, "one_room", ("redis", "plan1", "plan2"))
    return Judgement(findings=findings_of(parts, evidence), notes=notes, picture=picture)


def both(evidence: Evidence) -> Judgement:
    """C8: Kafka together with Redis: what the second hop costs, and what it gives."""
    name = "kafka-redis"
    parts: list[Counted | Compared] = [
        *_compared(name, Relation.MORE, "is above", ("redis", "plan2")),
        Counted(f"With {name}, acked messages can be read after a restart", partial(_read, name)),
        Counted(f"{name} loses no delivery of an acked message when Redis is restarted", partial(_kept, name)),
        Counted(f"{name} redirects no join", partial(_redirects_none, name)),
        Counted(
            f"With {name}, only gateways with members of a room get its messages, in small rooms",
            partial(_wastes_none, name),
        ),
    ]
    notes = [_waste_note(evidence, other) for other in ("plan1", "kafka-broadcast")]
    picture = _side_by_side(evidence, "small_rooms", (name, "redis", "plan2", "kafka-broadcast"))
    return Judgement(findings=findings_of(parts, evidence), notes=notes, picture=picture)


def broadcast(evidence: Evidence) -> Judgement:
    """C9: one consumer group per gateway."""
    name = "kafka-broadcast"
    parts: list[Counted | Compared] = []
    for experiment, chat in CHATS.items():
        parts += [
            Counted(f"{name} delivers every message once and in order, in {chat}", partial(_whole, name, experiment)),
            Counted(f"{name} writes one record per message, in {chat}", partial(_one_record, name, experiment)),
        ]
    parts += _compared(name, Relation.NOT_MORE, "is not above", ("plan1",), " by 10 % or more")
    names = (name, "plan1", "plan2")
    panels = [
        Panel("written per message,\nrecords", evidence.means("small_rooms", RECORDS, names), [1.0, 4.0, 1.0]),
        Panel("median latency, ms", evidence.means("small_rooms", P50, names)),
        Panel("CPU of gateways + brokers,\nms/s", evidence.means("small_rooms", CPU, names)),
    ]
    notes = [_waste_note(evidence, each) for each in (name, "plan1")]
    picture = Picture(list(names), list(names), panels)
    return Judgement(findings=findings_of(parts, evidence), notes=notes, picture=picture)


def _compared(
    name: str, relation: Relation, verb: str, others: Sequence[str], by: str = ""
) -> list[Counted | Compared]:
    """A finding for each chat, each other architecture, and each figure."""
    return [
        Compared(
            f"The {figure} of {name} {verb} that of {other}{by}, in {chat}",
            relation,
            partial(Evidence.contrast, experiment=experiment, column=column, first=name, second=other),
        )
        for experiment, chat in CHATS.items()
        for other in others
        for column, figure in FIGURES.items()
    ]


def _kept(name: str, evidence: Evidence) -> Count:
    lost = evidence.total("restarts", "lost_acked", name)
    refused = evidence.sent("restarts", name) - evidence.total("restarts", "acked", name)
    measured = f"{lost:,} deliveries of acked messages lost; {refused:,} messages not acked, as their senders were told"
    return Count(lost == 0, measured, evidence.total("restarts", "acked", name), "acked messages")


def _restart_note(evidence: Evidence, name: str) -> str:
    try:
        found = _kept(name, evidence)
    except InsufficientData as problem:
        return f"{name} with its backend restarted was not measured: {problem}."
    return f"{name} with its backend restarted: {found.measured} (n = {found.n:,} {found.n_of})."


def _read(name: str, evidence: Evidence) -> Count:
    for each in evidence.readable:
        if each.arch == name:
            return Count(each.readable == each.acked, f"{each.readable} of {each.acked}", each.acked, "acked messages")
    raise InsufficientData(f"what {name} can read after a restart was not tested")


def _redirects_none(name: str, evidence: Evidence) -> Count:
    some = {"gateways": LARGE_GROUP}
    redirected, joined = (evidence.total("joins", column, name, **some) for column in ("joins_redirected", "joins"))
    return Count(redirected == 0, f"{share_text(redirected / joined)} on {LARGE_GROUP} gateways", joined, "joins")


def _wastes_none(name: str, evidence: Evidence) -> Count:
    copies = max(evidence.each("small_rooms", WASTED, name))
    measured = f"{copies:.2f} copies per message to gateways without the room"
    return Count(copies < EXACT, measured, evidence.sent("small_rooms", name), "messages")


def _waste_note(evidence: Evidence, name: str) -> str:
    try:
        found = _wastes_none(name, evidence)
    except InsufficientData as problem:
        return f"Copies to gateways without the room were not measured with {name}: {problem}."
    return f"{name} in small rooms: {found.measured} (n = {found.n:,} {found.n_of})."


LOSSES = ("lost", "duplicated", "reordered")


def _whole(name: str, experiment: str, evidence: Evidence) -> Count:
    owed, got = (evidence.total(experiment, column, name) for column in ("expected", "delivered"))
    wrong = {column: evidence.total(experiment, column, name) for column in LOSSES}
    told = ", ".join(f"{count:,} {column}" for column, count in wrong.items())
    is_whole = got == owed and not any(wrong.values())
    return Count(is_whole, f"{got:,} of {owed:,} deliveries; {told}", evidence.sent(experiment, name), "messages")


def _one_record(name: str, experiment: str, evidence: Evidence) -> Count:
    found = evidence.each(experiment, RECORDS, name)
    gateways = int(max(evidence.each(experiment, "gateways", name)))
    measured = f"{max(found):.4g} on {gateways} gateways"
    return Count(all(near(each, 1, EXACT) for each in found), measured, evidence.sent(experiment, name), "messages")


ACK_P50 = "ack_p50_ms"


def _side_by_side(evidence: Evidence, experiment: str, names: Sequence[str]) -> Picture:
    panels = [
        Panel("median latency, ms", evidence.means(experiment, P50, names)),
        Panel("median ack, ms", evidence.means(experiment, ACK_P50, names)),
        Panel("CPU of gateways + brokers,\nms/s", evidence.means(experiment, CPU, names)),
    ]
    return Picture(list(names), list(names), panels)
