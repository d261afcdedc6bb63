"""Gateways that others have started (`chatbench gateway`), driven by a run on this host."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version

import msgspec

from architectures.interface import Option, Topology
from harness.core.addresses import gateway_url
from harness.core.errors import ServiceFailed, UsageError
from harness.core.settings import RunSettings, own_token
from harness.core.token import TOKEN_VARIABLE
from harness.gateway.settings import About, GatewayStats
from harness.ledger.passages import Passages, in_this_hosts_clock
from harness.measure.resources import CpuUsed
from harness.measure.threads import Thread, ThreadTime
from harness.services.backend import Breakable, Counters
from harness.services.gateway_client import Answer, ask
from harness.services.gateway_clocks import GatewayClocks
from harness.services.proxy import Proxy
from peers.interface import OnProgress

ANSWER_TIMEOUT_S = 10.0
LEAVING_MAX_S = 5.0
LAST_WORD_TIMEOUT_S = 2.0
WHOLE_TIMEOUT_S = 30.0  # gateways that are just starting take their places one after the other
NOT_OURS = "the gateways at --gateways-at are not this run's to break; leave --fault out"


def resolve_fleet(settings: RunSettings) -> RunSettings:
    """The same settings with the shape of the fleet at --gateways-at, and the addresses of all its gateways.

    Raises UsageError if the fleet is not what was asked for.
    """
    if not settings.gateways_at:
        return settings
    given = [gateway_url("--gateways-at", url) for url in settings.gateways_at]
    deadline = time.monotonic() + WHOLE_TIMEOUT_S
    while True:
        about = [_about(url, settings.arch) for url in given]
        fleet, urls = about[0].topology, _addresses(about)
        strange = next((each for each in about if each.topology != fleet), None)
        if strange is not None:
            raise UsageError(
                f"--gateways-at names gateways of two fleets, {fleet.run_id} and {strange.topology.run_id}; name one's"
            )
        if len(urls) == fleet.gateways:
            break
        if time.monotonic() > deadline:
            raise UsageError(
                f"--gateways-at: {len(urls)} of the fleet's {fleet.gateways} gateways are there ({', '.join(urls)}); "
                "start the others"
            )
        time.sleep(0.5)
    return msgspec.structs.replace(
        settings,
        gateways_at=tuple(urls),
        gateways=fleet.gateways,
        brokers=fleet.brokers,
        partitions=fleet.partitions,
        arch_options=tuple(f"{name}={_written(value)}" for name, value in fleet.options.items()),
        tick_s=about[0].tick_s,
    )


def _written(value: Option) -> str:
    """The value as a user writes it."""
    return value if isinstance(value, str) else f"{value:g}"


def _about(url: str, arch: str) -> About:
    about = _ask(url, "/about", About)
    if about is None:
        raise UsageError(
            f"--gateways-at: no gateway of chatbench {version('chatbench')} answered at {url}; start one there with "
            f"`chatbench gateway`, and where it has a token, set the same in {TOKEN_VARIABLE}"
        )
    if about.arch != arch:
        raise UsageError(f"--gateways-at: {url} is a gateway of {about.arch}, not {arch}; use --arch {about.arch}")
    if about.version != version("chatbench"):
        raise UsageError(
            f"--gateways-at: {url} has chatbench {about.version}, and here it is {version('chatbench')}; "
            "install the same"
        )
    return about


def _addresses(about: Iterable[About]) -> list[str]:
    """The addresses of all gateways that any of these knows of, by place.

    Each gateway tells its own: an address that was given may be a name that stands for all of them.
    """
    told: dict[int, str] = {}
    for each in about:
        told |= each.urls
    return [url for _place, url in sorted(told.items())]


def _ask(url: str, path: str, kind: type[Answer]) -> Answer | None:
    return ask(url, path, kind, own_token(), ANSWER_TIMEOUT_S)


class RemoteFleet:
    """The gateways of a fleet that others have started, as far as a run drives them."""

    def __init__(self, urls: tuple[str, ...], trace_one_in: int = 0, duration_s: float = 0.0) -> None:
        """`duration_s` is how long the run measures, after which gateways that are not asked again trace no more."""
        self.urls = list(urls)
        self._trace_one_in = trace_one_in
        self._trace = f"/trace?one_in={trace_one_in}&for_s={math.ceil(duration_s)}"
        self._has_asked = False
        self._clocks = GatewayClocks(own_token())

    def stats(self) -> dict[str, GatewayStats]:
        """The counters of every gateway, by its process; raises ServiceFailed if one does not answer."""
        answers = {}
        for url in self.urls:
            stats = _ask(url, "/stats", GatewayStats)
            if stats is None:
                raise ServiceFailed(f"the gateway at {url} did not answer within {ANSWER_TIMEOUT_S:g} s; is it there?")
            answers[stats.process] = stats
        return answers

    def passages(self) -> list[Passages] | None:
        """What each gateway has noted since the last time, by place and by this host's clock; they trace from now on.

        None: they are not to trace, or one of them does not tell what it noted, or its time.
        """
        self._has_asked |= self._trace_one_in > 0
        told = [self._passages_of(url) for url in self.urls] if self._trace_one_in else []
        known = [each for each in told if each is not None]
        return known if known and len(known) == len(told) else None

    def _passages_of(self, url: str) -> Passages | None:
        told = _ask(url, self._trace, Passages)
        offset = self._clocks.compare(url)
        return None if told is None or offset is None else in_this_hosts_clock(told, offset)

    def trace_no_more(self) -> None:
        """Tell the gateways that nobody will ask for what they note.

        A run that was refused has not made them trace: if they do, it is for another run.
        """
        if self._has_asked:
            for url in self.urls:
                ask(url, "/trace?one_in=0", Passages, own_token(), LAST_WORD_TIMEOUT_S)

    def frames_per_s(self) -> float:
        """How many frames one member may send, whichever gateway it is at; raises ServiceFailed as `stats`."""
        about = [_ask(url, "/about", About) for url in self.urls]
        if None in about:
            raise ServiceFailed(f"the gateway at {self.urls[about.index(None)]} does not answer; is it there?")
        return min(each.frames_per_s for each in about if each is not None)

    def check_nobody_else(self) -> None:
        """Raise UsageError if others are members there, and stay: their messages would count as this run's."""
        deadline = time.monotonic() + LEAVING_MAX_S
        while members := sum(stats.members for stats in self.stats().values()):
            if time.monotonic() < deadline:  # those of an earlier run may be just leaving
                time.sleep(0.1)
                continue
            raise UsageError(
                f"--gateways-at: there are {members} members already; wait until the other run is over, or end it"
            )

    def endings(self) -> list[str]:
        """Always none: how a gateway of another host has ended is not known here."""
        return []


class RemoteMeter:
    """CPU time and memory of remote gateways, as they report them. Their backends are not measured."""

    is_local = False

    def __init__(self, fleet: RemoteFleet) -> None:
        self._fleet = fleet

    @property
    def resolution_s(self) -> dict[str, float]:
        """Empty: gateways do not report how finely they read their CPU time."""
        return {}

    def cpu(self) -> CpuUsed:
        """CPU time used so far."""
        by_gateway = {process: stats.cpu_s for process, stats in self._fleet.stats().items()}
        return CpuUsed({"gateway": sum(by_gateway.values())}, by_gateway, jvms={})

    def threads(self) -> dict[Thread, ThreadTime]:
        """Empty: gateways report their CPU time as a whole."""
        return {}

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory now."""
        return {"gateway": sum(stats.rss_bytes for stats in self._fleet.stats().values())}


class RemoteStack:
    """Gateways that others have started, and whatever backends they have: nothing of it is this run's own."""

    starting = "driver and services"
    whose = "of the gateways' fleet"

    def __init__(
        self, urls: tuple[str, ...], topology: Topology, trace_one_in: int = 0, duration_s: float = 0.0
    ) -> None:
        self.topology = topology
        self.gateways = RemoteFleet(urls, trace_one_in, duration_s)

    def external_settings(self) -> Mapping[str, str]:
        """None: the gateways' backends are not known here."""
        return {}

    def begin(self, on_progress: OnProgress) -> None:
        """They have begun already."""

    def start(self) -> RemoteFleet:
        """Raise UsageError if others use the gateways."""
        self.gateways.check_nobody_else()
        return self.gateways

    def check(self) -> None:
        """A gateway that is gone shows in what its members do not hear."""

    def meter(self) -> RemoteMeter:
        """A meter of the gateways."""
        return RemoteMeter(self.gateways)

    def counters(self, killed: Collection[str]) -> Mapping[str, Counters]:
        """None: the gateways' backends are not known here."""
        return {}

    def let_gateways_end(self) -> None:
        """Raise ServiceFailed: faults cannot come here."""
        raise ServiceFailed(NOT_OURS)

    def processes(self, target: str) -> Breakable:
        """Raise ServiceFailed: faults cannot come here."""
        raise ServiceFailed(NOT_OURS)

    def proxy(self, target: str) -> Proxy:
        """Raise ServiceFailed: faults cannot come here."""
        raise ServiceFailed(NOT_OURS)

    def stop(self) -> None:
        """They go on, and trace nothing more for this run."""
        self.gateways.trace_no_more()

    def forget(self) -> None:
        """Nothing was made."""
