"""`chatbench advise`: recommend an architecture for a chat, predict its cost, and say what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from architectures.interface import Role
from harness.core.payload import SIZE_MAX_BYTES
from harness.core.registry import load_architecture, named
from harness.core.settings import in_range
from harness.core.units import figure_text, size_text
from harness.experiments.costs.components import CPU_COMPONENTS, MEMORY_PARTS
from harness.experiments.costs.fit import NOTHING, Interval
from harness.experiments.costs.model import Model
from harness.experiments.costs.prices import Money
from harness.experiments.costs.sizing import ChatSize, Impossible, OneGateway, bytes_from_a_gateway_per_s, on_one, sized
from harness.experiments.costs.trace_sizes import Trace
from harness.experiments.costs.traffic import backend_bytes_per_s, records_bytes_per_s, scaled, to_members_bytes_per_s
from harness.experiments.costs.validation import HeldOutAccuracy
from harness.experiments.costs.workload import Workload

SIZE_MAX = 1e9
ALIKE = 1.1  # a difference of up to a tenth is not a reason to prefer one


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The chat to advise on. The rate is that of all rooms together; members are those of one room."""

    rooms: int
    members_per_room: float
    rate_per_s: float
    payload_bytes: int = 100
    durable: bool = False  # an acked message must survive the restart of the backend
    replay: bool = False  # messages must be readable later

    @property
    def chat(self) -> ChatSize:
        return ChatSize(self.rooms, self.members_per_room, self.rate_per_s, self.payload_bytes)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The predicted resources of one architecture. Bytes exclude IP and TCP; disk is for one replica."""

    arch: str
    gateways: int
    cores: Interval
    cores_of: dict[str, Interval]  # by part: gateway, kafka, redis
    memory_bytes: Interval
    to_members_bytes_per_s: Interval
    backend_bytes_per_s: Interval  # into and out of Kafka and Redis
    disk_bytes_per_day: Interval
    # The measured run most like this chat, and its delivery latency; None: not valid.
    nearest: str
    nearest_p50_ms: float | None
    nearest_p99_ms: float | None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `chatbench advise`."""

    wish: Wish
    # The cheapest architecture and those that are as cheap, or the one without a backend if one gateway is enough.
    choice: list[str]
    one_gateway: OneGateway | None  # the chat on one gateway; None: it needs more than one
    of_several: list[str]  # like choice, for two gateways or more
    costs: list[Cost]  # of all architectures that meet the needs, the cheapest first
    cpu_at_least: bool  # payloads are larger than those measured, so CPU is a lower bound: there is no cost per byte
    payloads_measured_bytes: list[int]
    out: dict[str, str]  # why each of the others cannot meet the needs
    would_change: list[str]
    beyond: list[str]  # the sizes that exceed anything that was measured
    held_out: list[HeldOutAccuracy]
    money: Money | None = None  # with --prices: what each costs a month
    trace: Trace | None = None  # with --from: what the log says


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The data that advice is based on."""

    model: Model
    held_out: Sequence[HeldOutAccuracy]
    replayable: Mapping[str, bool]  # by architecture; missing ones were not measured


def checked(wish: Wish) -> Wish:
    """The same wish; raises UsageError for the first size out of range."""
    in_range("--rooms", wish.rooms, 1, SIZE_MAX)
    in_range("--members-per-room", wish.members_per_room, 2, SIZE_MAX)
    in_range("--rate", wish.rate_per_s, 0.001, SIZE_MAX)
    in_range("--payload", wish.payload_bytes, 1, SIZE_MAX_BYTES, size_text)
    return wish


def advise(wish: Wish, knowledge: Knowledge) -> Advice:
    """The advice: the architectures that meet the needs with the least CPU."""
    costs, out = _candidates(wish, knowledge)
    choice = _choice(wish, costs, knowledge)
    payloads_bytes = sorted(int(size) for size in knowledge.model.points["payload_bytes"].unique())
    return Advice(
        wish=wish,
        choice=choice,
        one_gateway=on_one(knowledge.model, wish.chat),
        of_several=_cheapest(costs),
        costs=costs,
        cpu_at_least=wish.payload_bytes > max(payloads_bytes),
        payloads_measured_bytes=payloads_bytes,
        out=out,
        would_change=list(_would_change(wish, knowledge, choice)),
        beyond=list(_beyond(wish, costs, knowledge.model.points)),
        held_out=list(knowledge.held_out),
    )


def _choice(wish: Wish, costs: Sequence[Cost], knowledge: Knowledge) -> list[str]:
    """The cheapest architectures, or the one without a backend if one gateway is enough and no need forbids it."""
    alone = not wish.durable and not wish.replay and on_one(knowledge.model, wish.chat) is not None
    return named(Role.FLOOR) if alone else _cheapest(costs)


def _cheapest(costs: Sequence[Cost]) -> list[str]:
    return [cost.arch for cost in costs if cost.cores.value <= ALIKE * costs[0].cores.value]


def _candidates(wish: Wish, knowledge: Knowledge) -> tuple[list[Cost], dict[str, str]]:
    costs, out = [], {}
    for arch in knowledge.model.architectures:
        why = _cannot(arch, wish, knowledge)
        if why is None:
            try:
                costs.append(_cost(arch, wish, knowledge.model))
            except Impossible as problem:
                why = str(problem)
        if why is not None:
            out[arch] = why
    return sorted(costs, key=lambda cost: cost.cores.value), out


def _cannot(arch: str, wish: Wish, knowledge: Knowledge) -> str | None:
    if wish.durable and not load_architecture(arch).promises.durable_ack:
        return "an acked message does not survive the restart of its backend"
    if wish.replay and arch not in knowledge.replayable:
        return "it was not measured whether messages can be read later"
    if wish.replay and not knowledge.replayable[arch]:
        return "no message could be read after a restart"
    return None


def _cost(arch: str, wish: Wish, model: Model) -> Cost:
    workload = sized(model, arch, wish.chat)
    of_part = {part.name.split()[0]: model.predict(part, arch, workload) for part in CPU_COMPONENTS if part.uses(arch)}
    cores = {name: scaled(each, 1e-6) for name, each in of_part.items()}
    memory = model.predict_all(MEMORY_PARTS, arch, workload)
    nearest = _nearest(arch, workload, model.points)
    return Cost(
        arch=arch,
        gateways=workload.gateways,
        cores=sum(cores.values(), NOTHING).interval,
        cores_of={name: each.interval for name, each in cores.items()},
        memory_bytes=memory.interval,
        to_members_bytes_per_s=to_members_bytes_per_s(arch, workload, model).interval,
        backend_bytes_per_s=backend_bytes_per_s(arch, workload, model).interval,
        disk_bytes_per_day=scaled(records_bytes_per_s(arch, workload, model), 86_400).interval,
        nearest=str(nearest["record"]),
        nearest_p50_ms=_or_none(nearest["latency_p50_ms"]),
        nearest_p99_ms=_or_none(nearest["latency_p99_ms"]),
    )


def _nearest(arch: str, workload: Workload, points: pd.DataFrame) -> pd.Series[Any]:
    """The measured run whose sizes are closest to those of the workload, by ratio."""
    own = points[points["arch"] == arch]
    wanted = (workload.rooms, workload.members, workload.rate_per_s, workload.gateways)

    found = own[["rooms", "members", "publishes_per_s", "gateways"]].astype(float)
    distances = (np.log(found) - np.log(np.array(wanted))).abs().sum(axis=1)
    return own.iloc[int(distances.argmin())]


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _would_change(wish: Wish, knowledge: Knowledge, choice: list[str]) -> Iterator[str]:
    """Each single change of the wish that gives another answer."""
    for what, changed in _changes(wish):
        costs, _ = _candidates(changed, knowledge)
        other = _choice(changed, costs, knowledge)
        if not other:
            yield f"{what}: then none can"
        elif set(other) != set(choice):
            yield f"{what}: then {' or '.join(other)}"


def _changes(wish: Wish) -> Iterator[tuple[str, Wish]]:
    by = msgspec.structs.replace
    for times, word in ((10, "ten times"), (100, "a hundred times")):
        yield (
            f"{word} the rooms, each as before",
            by(wish, rooms=times * wish.rooms, rate_per_s=times * wish.rate_per_s),
        )
        yield f"{word} the members in each room", by(wish, members_per_room=times * wish.members_per_room)
        yield f"{word} the messages", by(wish, rate_per_s=times * wish.rate_per_s)
    if not wish.durable:
        yield "acked messages that must survive a restart of the backend (--durable)", by(wish, durable=True)
    if not wish.replay:
        yield "messages that must be readable later (--replay)", by(wish, replay=True)


def _beyond(wish: Wish, costs: Sequence[Cost], points: pd.DataFrame) -> Iterator[str]:
    """The sizes for which a prediction extrapolates linearly, and by how much."""
    gateways = [cost.gateways for cost in costs]
    further = [
        ("members", wish.rooms * wish.members_per_room, points["members"].max()),
        ("rooms", wish.rooms, points["rooms"].max()),
        ("messages per second", wish.rate_per_s, points["publishes_per_s"].max()),
        ("gateways", max(gateways, default=0), points["gateways"].max()),
    ]
    if gateways and wish.payload_bytes > points["payload_bytes"].max():
        bytes_per_s = wish.chat.bytes_to_members_per_s / min(gateways)
        further.append(("bytes per second to a gateway's members", bytes_per_s, bytes_from_a_gateway_per_s(points)))
    for name, asked, most in further:
        if asked > 1.01 * float(most):
            yield f"{asked:,.0f} {name}, measured up to {most:,.0f}: {figure_text(asked / most)} times further"
