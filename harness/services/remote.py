"""Gateways that stand already (`chatbench gateway`), driven by a run that did not start them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version

import msgspec

from architectures.interface import Option, Topology
from harness.core.addresses import gateway_url
from harness.core.errors import ServiceFailed, UsageError
from harness.core.settings import RunSettings, own_token
from harness.core.token import TOKEN_VARIABLE
from harness.gateway.settings import About, GatewayStats
from harness.measure.resources import CpuUsed
from harness.services.gateway_client import Answer, ask
from peers.interface import OnProgress

ANSWER_TIMEOUT_S = 10.0
LEAVING_MAX_S = 5.0
WHOLE_TIMEOUT_S = 30.0  # gateways that are just starting take their places one after the other


def resolve_fleet(settings: RunSettings) -> RunSettings:
    """The same with the shape of the fleet at --gateways-at, and the addresses of all its gateways.

    Raises UsageError where they are not what was asked for.
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
    """As a user writes it."""
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
    """Of all gateways that any of these knows of, by place.

    As they say themselves: an address that was given may be a name that stands for all of them.
    """
    told: dict[int, str] = {}
    for each in about:
        told |= each.urls
    return [url for _place, url in sorted(told.items())]


def _ask(url: str, path: str, kind: type[Answer]) -> Answer | None:
    return ask(url, path, kind, own_token(), ANSWER_TIMEOUT_S)


class RemoteFleet:
    """As Fleet, for whoever only drives it."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self.urls = list(urls)

    def stats(self) -> dict[str, GatewayStats]:
        """Counters of every gateway, by its process; raises ServiceFailed if one does not answer."""
        answers = {}
        for url in self.urls:
            stats = _ask(url, "/stats", GatewayStats)
            if stats is None:
                raise ServiceFailed(f"the gateway at {url} did not answer within {ANSWER_TIMEOUT_S:g} s; is it there?")
            answers[stats.process] = stats
        return answers

    def frames_per_s(self) -> float:
        """That one member may send, whichever gateway it is at; raises ServiceFailed as `stats`."""
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
        """Nobody here would know."""
        return []


class RemoteMeter:
    """As Meter, by the gateways' own word; what they stand on is not measured."""

    def __init__(self, fleet: RemoteFleet) -> None:
        self._fleet = fleet

    @property
    def resolution_s(self) -> dict[str, float]:
        """They read it as finely as their processes can."""
        return {}

    def cpu(self) -> CpuUsed:
        by_gateway = {process: stats.cpu_s for process, stats in self._fleet.stats().items()}
        return CpuUsed({"gateway": sum(by_gateway.values())}, by_gateway)

    def rss_bytes(self) -> dict[str, int]:
        return {"gateway": sum(stats.rss_bytes for stats in self._fleet.stats().values())}


class RemoteStack:
    """As Stack, of which nothing is this run's own."""

    kafka = redis = nats = None
    services = "of the gateways' fleet"

    def __init__(self, urls: tuple[str, ...], topology: Topology) -> None:
        self.topology = topology
        self.fleet = RemoteFleet(urls)

    def begin(self, on_progress: OnProgress) -> None:
        """They have begun."""

    def start(self) -> RemoteFleet:
        self.fleet.check_nobody_else()
        return self.fleet

    def check(self) -> None:
        """A gateway that is gone shows in what its members do not hear."""

    def meter(self) -> RemoteMeter:
        return RemoteMeter(self.fleet)

    def stop(self) -> None:
        """They go on."""

    def forget(self) -> None:
        """Nothing was made."""
