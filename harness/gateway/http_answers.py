"""What a gateway answers over plain HTTP: about itself, its counters, the chat page, and routes of messages."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

import msgspec
import psutil

from architectures.interface import Architecture
from harness.gateway.admission import TRACE, Query
from harness.gateway.chat_page import chat_page, route
from harness.gateway.membership import Membership
from harness.gateway.metrics import CONTENT_TYPE_LATEST, OpenMetrics
from harness.gateway.session import Hub
from harness.gateway.settings import About, GatewaySettings, GatewayStats
from harness.ledger.passages import Passages
from harness.measure import host_clock

Answers = Mapping[str, tuple[str, Callable[[Query], str]]]  # by path: the content type, and the text for a query

JSON = "application/json"
DIGITS_MAX = 9
TRACE_LONGER_S = 60.0  # than the run says: for messages in flight, and for a run that is late to ask


def http_answers(
    settings: GatewaySettings, architecture: Architecture, membership: Membership | None, hub: Hub
) -> Answers:
    """Return for each path the content type, and the function that makes the text from the query."""
    stats = Statistics(hub)
    metrics = OpenMetrics(settings.arch, settings.index, stats.now)
    return {
        "/stats": (JSON, lambda _query: msgspec.json.encode(stats.now()).decode()),
        "/about": (JSON, lambda _query: msgspec.json.encode(_about(settings, architecture, membership)).decode()),
        TRACE: (JSON, lambda query: msgspec.json.encode(_passages(hub, query)).decode()),
        "/clock": (JSON, lambda _query: msgspec.json.encode(host_clock.reading()).decode()),
        "/metrics": (CONTENT_TYPE_LATEST, lambda _query: metrics.text()),
        "/chat": ("text/html; charset=utf-8", lambda _query: chat_page()),
        "/route": (JSON, lambda query: route(type(architecture), settings.topology, query)),
    }


def _about(settings: GatewaySettings, architecture: Architecture, membership: Membership | None) -> About:
    return About(
        version=version("chatbench"),
        arch=settings.arch,
        summary=architecture.summary,
        index=settings.index,
        topology=settings.topology,
        tick_s=settings.tick_s,
        urls=dict(enumerate(settings.peers)) if membership is None else membership.serving(),
        frames_per_s=settings.limits.frames_per_s,
    )


def _passages(hub: Hub, query: Query) -> Passages:
    """What was noted since the last time.

    `one_in` in the query is the share that is traced from now on, until a minute after `for_s` if nobody asks again;
    0: none.
    """
    passages = Passages([], 0) if hub.trace is None else hub.trace.take()
    one_in = _number(query, "one_in")
    if one_in is not None:
        hub.trace_one_in(one_in, (_number(query, "for_s") or 0) + TRACE_LONGER_S)
    return passages


def _number(query: Query, name: str) -> int | None:
    given = query.get(name, [""])[0]
    return int(given) if given.isdecimal() and len(given) <= DIGITS_MAX else None


class Statistics:
    """The counters of this gateway, and the resources that its process has used so far."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._process = psutil.Process()
        self._name = f"{socket.gethostname()} {os.getpid()} {time.time_ns()}"

    def now(self) -> GatewayStats:
        hub = self._hub
        return GatewayStats(
            process=self._name,
            cpu_s=time.process_time(),
            rss_bytes=self._process.memory_info().rss,
            members=len(hub.sessions),
            rooms=len(hub.rooms),
            frames_out=hub.rooms.frames_out,
            writes=hub.rooms.writes,
            bytes_out=hub.rooms.bytes_out,
            wasted=hub.rooms.wasted,
            buffered_bytes=hub.buffered_bytes(),
            counts=dict(hub.counts),
        )
