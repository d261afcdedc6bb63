"""The tables of docs/guide.md: the advice for some chats and needs, and how costs compare on more and more gateways."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.core.registry import load_candidate
from harness.core.units import figure_text
from harness.experiments.costs.advice import DURABLE_REPLICAS, Advice, Knowledge, Wish, advise
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.cost import Cost
from harness.experiments.costs.fit import Prediction
from harness.experiments.costs.limits import Limit
from harness.experiments.costs.sizing import ChatSize
from harness.report.advice import share_text

CHATS = {
    "A forum: 200 rooms of 50, 400 msg/s": Wish(rooms=200, members_per_room=50, rate_per_s=400),
    "A live stream: 1 room of 10,000, 20 msg/s": Wish(rooms=1, members_per_room=1e4, rate_per_s=20),
    "A huge live stream: 1 room of 1,000,000, 20 msg/s": Wish(rooms=1, members_per_room=1e6, rate_per_s=20),
    "Many streams: 1,000 rooms of 1,000, 2,000 msg/s": Wish(rooms=1000, members_per_room=1e3, rate_per_s=2000),
    "Channels: 200 rooms of 100, 200 msg/s": Wish(rooms=200, members_per_room=100, rate_per_s=200),
    "Groups: 3,000 rooms of 5, 300 msg/s": Wish(rooms=3000, members_per_room=5, rate_per_s=300),
    "Many groups: 200,000 rooms of 5, 20,000 msg/s": Wish(rooms=200_000, members_per_room=5, rate_per_s=20_000),
}
NEEDS: dict[str, dict[str, bool]] = {
    "no special need": {},
    "acked messages survive a restart of the backend": {"durable": True},
    "messages can be read later": {"replay": True},
}


# What each gateway adds to a chat: rooms of that size, and messages per second in all of them together.
GROWING = {
    "small rooms: 50 of 5, 25 msg/s for each gateway": (50, 5, 25.0),
    "larger rooms: 5 of 100, 10 msg/s for each gateway": (5, 100, 10.0),
}
GATEWAYS = (2, 4, 8, 16)


def choice_rows(knowledge: Knowledge) -> Iterator[list[str]]:
    """Yield a row of Markdown for each chat: its name, and a cell for each need."""
    for name, wish in CHATS.items():
        wishes = [msgspec.structs.replace(wish, extrapolate=True, **needed) for needed in NEEDS.values()]
        yield [name, *(_cell(advise(each, knowledge)) for each in wishes)]


def _cell(advised: Advice) -> str:
    """Who may be chosen, with the probability of being the cheapest; far beyond what was measured, bands of all."""
    shown = advised.costs if advised.too_far else [each for each in advised.costs if each.arch in advised.of_several]
    lines = [_band(each) if advised.too_far else _choice(each) for each in shown] or ["none is feasible"]
    if advised.too_far:
        lines.insert(0, f"*no recommendation, extrapolated {figure_text(advised.extrapolated_times)} times:*")
    lines += [f"{each.arch} infeasible: {_why(each.limits)}" for each in advised.infeasible]
    if not advised.replication_modelled:
        lines.append("*replication not modelled*")
    return "<br>".join(lines)


def _choice(cost: Cost) -> str:
    return f"**{cost.arch}** {figure_text(cost.cores.value)} cores, {share_text(cost.p_cheapest or 0.0)}"


def _band(cost: Cost) -> str:
    band = f"{figure_text(cost.cores.low)} to {figure_text(cost.cores.high)} cores"
    return f"{cost.arch} {band}"


def _why(limits: list[Limit]) -> str:
    return " and ".join(
        f"{each.part} {figure_text(each.needed)} of {figure_text(each.most)} {each.unit}" for each in limits
    )


def durable(knowledge: Knowledge) -> list[str]:
    """The architectures of the model whose acked messages survive a restart of the backend."""
    return [arch for arch in knowledge.model.architectures if load_candidate(arch).promises.durable_ack]


def growing(name: str, gateways: int) -> ChatSize:
    """That chat of GROWING on so many gateways."""
    rooms, members_per_room, rate_per_s = GROWING[name]
    return ChatSize(rooms * gateways, members_per_room, rate_per_s * gateways, replicas=DURABLE_REPLICAS)


def ratio_rows(knowledge: Knowledge) -> Iterator[list[str]]:
    """Yield rows of Markdown: a growing chat, its gateways, and the cores of each durable architecture.

    They are relative to that with the fewest, with 90 % intervals.
    """
    names = durable(knowledge)
    for name in GROWING:
        for gateways in GATEWAYS:
            chat = growing(name, gateways)
            cores = [knowledge.model.predict_all(CPU_COMPONENTS, arch, chat.on(gateways)) for arch in names]
            least = min(cores, key=lambda each: each.value)
            yield [name if gateways == GATEWAYS[0] else "", str(gateways), *(_ratio(each, least) for each in cores)]


def _ratio(one: Prediction, least: Prediction) -> str:
    if one is least:
        return "**1**"
    interval = (one / least).interval
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"
