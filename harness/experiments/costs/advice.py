"""`chatbench advise`: recommend an architecture for a chat, predict its cost, and say what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from architectures.interface import Role
from harness.core.errors import UsageError
from harness.core.payload import SIZE_MAX_BYTES
from harness.core.registry import load_architecture, named
from harness.core.settings import in_range
from harness.core.units import size_text
from harness.experiments.costs.cheapest import Ranking, rank
from harness.experiments.costs.cost import Cost, cost_of
from harness.experiments.costs.gateway_size import GATEWAY_CORES_MAX, MEMBERS_PER_GATEWAY_MAX, GatewaySize
from harness.experiments.costs.latency import LatencyModel
from harness.experiments.costs.latency_validation import LatencyAccuracy
from harness.experiments.costs.limits import Limit
from harness.experiments.costs.model import Model
from harness.experiments.costs.prices import Money
from harness.experiments.costs.reach import TIMES_MAX, Extrapolation, extrapolations
from harness.experiments.costs.sensitivity import ChoiceBySize, sensitivity
from harness.experiments.costs.sizing import (
    ChatSize,
    OneGateway,
    Sized,
    on_one,
    sized,
)
from harness.experiments.costs.trace_sizes import Trace
from harness.experiments.costs.validation import HeldOutAccuracy
from harness.experiments.costs.workload import uses_kafka

SIZE_MAX = 1e9
DURABLE_REPLICAS = 3  # an acked message outlives the loss of one broker of three


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The chat to advise on. The rate is that of all rooms together; members are those of one room."""

    rooms: int
    members_per_room: float
    rate_per_s: float
    payload_bytes: int = 100
    durable: bool = False  # an acked message must survive the restart of the backend
    replay: bool = False  # messages must be readable later
    replicas: int | None = None  # brokers that keep each record; None: three if durable, else one
    members_per_gateway: int = MEMBERS_PER_GATEWAY_MAX  # the most that one gateway may hold
    cores_per_gateway: float = GATEWAY_CORES_MAX  # the most that one gateway may use
    extrapolate: bool = False  # recommend also where a size is beyond ten times any measured one
    # How many times as many members and messages as the mean room the hottest room has, by a log of traffic.
    hottest_members_times: float = 1.0
    hottest_rate_times: float = 1.0

    @property
    def chat(self) -> ChatSize:
        replicas = self.replicas or (DURABLE_REPLICAS if self.durable else 1)
        return ChatSize(
            rooms=self.rooms,
            members_per_room=self.members_per_room,
            rate_per_s=self.rate_per_s,
            payload_bytes=self.payload_bytes,
            replicas=replicas,
            hottest_members_times=self.hottest_members_times,
            hottest_rate_times=self.hottest_rate_times,
        )

    @property
    def gateway(self) -> GatewaySize:
        return GatewaySize(self.members_per_gateway, self.cores_per_gateway)


class Infeasible(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture that meets the needs, but not at this size."""

    arch: str
    limits: list[Limit]
    cost: Cost | None  # what it would take if the limits were lifted; None: no number of gateways is enough


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `chatbench advise`."""

    wish: Wish
    # The cheapest architecture and those that may be chosen as well, or the one without a backend if one gateway is
    # enough. Empty: `no_choice` says why.
    choice: list[str]
    no_choice: str | None
    equal: bool  # whether those of `of_several` probably cost the same within a tenth; else they cannot be told apart
    one_gateway: OneGateway | None  # the chat on one gateway; None: it needs more than one
    of_several: list[str]  # like choice, for two gateways or more
    costs: list[Cost]  # of all architectures that meet the needs and are feasible, the cheapest first
    infeasible: list[Infeasible]
    sensitivity: list[ChoiceBySize]
    replicas: int  # brokers that keep each record
    replication_modelled: bool  # whether the costs are those of so many replicas; otherwise of one
    cpu_at_least: bool  # payloads are larger than those measured, so CPU is told as a lower bound
    payloads_measured_bytes: list[int]
    out: dict[str, str]  # why each of the others cannot meet the needs, or is not feasible
    would_change: list[str]
    beyond: list[str]  # the sizes that exceed anything that was measured
    extrapolations: list[Extrapolation]  # the same as figures, the furthest first
    extrapolated_times: float  # how far the furthest of them lies beyond those measured; 1: within
    held_out: list[HeldOutAccuracy]
    latency_accuracy: list[LatencyAccuracy]
    money: Money | None = None  # with --prices: what each costs a month
    trace: Trace | None = None  # with --from: what the log says

    @property
    def too_far(self) -> bool:
        """Whether a prediction is no reason to prefer one: figures are bands then."""
        return self.extrapolated_times > TIMES_MAX


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The data that advice is based on."""

    model: Model
    held_out: Sequence[HeldOutAccuracy]
    replayable: Mapping[str, bool]  # by architecture; missing ones were not measured
    latency: LatencyModel | None = None  # None: the runs do not support a fit
    latency_accuracy: Sequence[LatencyAccuracy] = ()


def checked(wish: Wish) -> Wish:
    """The same wish; raises UsageError for the first size out of range."""
    in_range("--rooms", wish.rooms, 1, SIZE_MAX)
    in_range("--members-per-room", wish.members_per_room, 2, SIZE_MAX)
    in_range("--rate", wish.rate_per_s, 0.001, SIZE_MAX)
    in_range("--payload", wish.payload_bytes, 1, SIZE_MAX_BYTES, size_text)
    in_range("--members-per-gateway", wish.members_per_gateway, 10, 1_000_000)
    in_range("--cores-per-gateway", wish.cores_per_gateway, 0.05, 1)
    if wish.replicas not in (None, 1, DURABLE_REPLICAS):
        raise UsageError(f"--replicas is {wish.replicas}, but it must be 1 or {DURABLE_REPLICAS}")
    return wish


def advise(wish: Wish, knowledge: Knowledge) -> Advice:
    """The advice: the architectures that meet the needs with the least CPU."""
    answer = _answer(wish, knowledge)
    model, chat = knowledge.model, _as_modelled(wish.chat, knowledge.model)
    payloads_bytes = sorted(int(size) for size in model.points["payload_bytes"].unique())
    infeasible = [each for each in answer.every if not each.feasible]
    return Advice(
        wish=wish,
        choice=answer.choice,
        no_choice=answer.no_choice,
        equal=answer.ranking.equal,
        one_gateway=on_one(model, chat, wish.gateway),
        of_several=answer.of_several,
        costs=[cost for each in answer.feasible if (cost := _cost(each, answer, knowledge))],
        infeasible=[
            Infeasible(arch=each.arch, limits=each.limits, cost=_cost(each, answer, knowledge)) for each in infeasible
        ],
        sensitivity=sensitivity(model, [each.arch for each in answer.every], chat),
        replicas=wish.chat.replicas,
        replication_modelled=chat == wish.chat or not any(map(uses_kafka, answer.can)),
        cpu_at_least=wish.payload_bytes > max(payloads_bytes),
        payloads_measured_bytes=payloads_bytes,
        out=answer.cannot | {each.arch: "; ".join(map(str, each.limits)) for each in infeasible},
        would_change=list(_would_change(wish, knowledge, answer.choice)),
        beyond=[str(each) for each in answer.further],
        extrapolations=answer.further,
        extrapolated_times=answer.times,
        held_out=list(knowledge.held_out),
        latency_accuracy=list(knowledge.latency_accuracy),
    )


def _as_modelled(chat: ChatSize, model: Model) -> ChatSize:
    """The chat on a single broker if so many replicas were not measured."""
    return chat if chat.replicas in model.replicas_measured else replace(chat, replicas=1)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What follows from a wish about all architectures."""

    wish: Wish
    cannot: dict[str, str]  # why some do not meet the needs
    every: list[Sized]  # the others
    further: list[Extrapolation]
    ranking: Ranking
    alone: bool  # one gateway is enough, and no need asks for a backend

    @property
    def can(self) -> list[str]:
        return [each.arch for each in self.every]

    @property
    def feasible(self) -> list[Sized]:
        return sorted((each for each in self.every if each.feasible), key=lambda each: each.cores.value)

    @property
    def times(self) -> float:
        return max((each.times for each in self.further), default=1.0)

    @property
    def told(self) -> bool:
        return self.times <= TIMES_MAX or self.wish.extrapolate

    @property
    def of_several(self) -> list[str]:
        return self.ranking.choice if self.told else []

    @property
    def choice(self) -> list[str]:
        return named(Role.FLOOR) if self.told and self.alone else self.of_several

    @property
    def no_choice(self) -> str | None:
        if self.choice:
            return None
        if not self.feasible:
            return "no architecture that meets the needs is feasible at this size"
        first = self.further[0]
        return (
            f"{first}; beyond {TIMES_MAX} times, a prediction is a band and no reason to prefer one "
            "(--extrapolate recommends all the same)"
        )


def _answer(wish: Wish, knowledge: Knowledge) -> _Answer:
    model, chat = knowledge.model, _as_modelled(wish.chat, knowledge.model)
    why = {arch: _cannot(arch, wish, knowledge) for arch in model.architectures}
    every = [sized(model, arch, chat, wish.gateway) for arch in model.architectures if why[arch] is None]
    feasible = [each for each in every if each.feasible]
    return _Answer(
        wish=wish,
        cannot={arch: reason for arch, reason in why.items() if reason is not None},
        every=every,
        further=extrapolations(chat, [each.workload.gateways for each in feasible if each.workload], model.points),
        ranking=rank({each.arch: each.cores for each in feasible}),
        alone=not wish.durable and not wish.replay and on_one(model, chat, wish.gateway) is not None,
    )


def _cost(each: Sized, answer: _Answer, knowledge: Knowledge) -> Cost | None:
    probability = answer.ranking.probability.get(each.arch) if answer.told else None
    if each.workload is None:
        return None
    return cost_of(each, each.workload, knowledge.model, knowledge.latency, probability)


def _cannot(arch: str, wish: Wish, knowledge: Knowledge) -> str | None:
    if wish.durable and not load_architecture(arch).promises.durable_ack:
        return "an acked message does not survive the restart of its backend"
    if wish.replay and arch not in knowledge.replayable:
        return "it was not measured whether messages can be read later"
    if wish.replay and not knowledge.replayable[arch]:
        return "no message could be read after a restart"
    return None


def _would_change(wish: Wish, knowledge: Knowledge, choice: list[str]) -> Iterator[str]:
    """Each single change of the wish that gives another answer. Without an answer, nothing changes it."""
    if not choice:
        return
    for what, changed in _changes(wish):
        other = _answer(changed, knowledge)
        if not other.feasible:
            yield f"{what}: then none can"
        elif other.told and set(other.choice) != set(choice):
            yield f"{what}: then {' or '.join(other.choice)}"


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
