"""`chatbench gateway`: one gateway of a fleet, perhaps on several hosts, that serves until it is stopped.

The names of the fleet's topics contain its name, so that fleets can share a Kafka. They stay until `chatbench forget`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import ipaddress
import re
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import uvloop

from architectures.clients.address import parse_hosts
from architectures.clients.nats_address import NatsAddress
from architectures.clients.redis_address import RedisAddress
from architectures.interface import Architecture, GoneForGood, Services, Topology
from harness.core import settings as config
from harness.core.errors import ServiceFailed, UsageError
from harness.core.gc_tuning import collect_seldom
from harness.core.open_files import raise_open_file_limit
from harness.core.outermost import is_mistake
from harness.core.settings import RunSettings
from harness.core.validation import external_backends, validate
from harness.gateway.bounded_log import log_to_stderr
from harness.gateway.leases import StoreAway
from harness.gateway.leases_nats import NoJetStream
from harness.gateway.membership import NoPlace
from harness.gateway.membership_transports import shared_membership, who_is_there
from harness.gateway.server import run_gateway
from harness.gateway.settings import LOOPBACK, Exposure, GatewaySettings, gateway_url
from harness.services.external import external_services, resolve_brokers
from harness.services.fleet import REASONS
from harness.services.kafka.external import remove_traces
from harness.services.ports import cannot_listen
from harness.services.processes import known_reason

FLEET = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class StandaloneGateway:
    """The fleet of a gateway, its place there, and its addresses."""

    fleet: str
    exposure: Exposure
    port: int
    advertise: str | None  # URL for members and other gateways; None: derived from the address it listens on
    place: int | None  # None: the first free place
    peers: tuple[str, ...]  # URLs of all gateways of the fleet, by place; empty: the fleet keeps a membership


def serve_standalone(
    standalone: StandaloneGateway, settings: RunSettings, architecture: type[Architecture], say: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM, and `say` one line of JSON when members can connect.

    Raises UsageError or ServiceFailed.
    """
    if standalone.peers:
        if settings.gateways not in {None, len(standalone.peers)}:
            raise UsageError(
                f"--gateways is {settings.gateways}, but --peers names {len(standalone.peers)}; leave it out"
            )
        settings = msgspec.structs.replace(settings, gateways=len(standalone.peers))
    validate(settings, architecture)
    _check(standalone, settings, architecture)
    settings = resolve_brokers(settings)
    raise_open_file_limit()
    log_to_stderr()  # there is no run with a folder for logs
    collect_seldom()
    services = external_services(settings)
    try:
        uvloop.run(_serve_standalone(standalone, settings, architecture, services, say))
    except asyncio.CancelledError:
        pass  # a signal came before the gateway was serving
    except (GoneForGood, NoPlace, NoJetStream, StoreAway) as problem:
        raise ServiceFailed(str(problem)) from problem
    except Exception as problem:
        if is_mistake(problem):
            raise
        why = known_reason(str(problem), REASONS) or f"{problem}; are its backends still running?"
        raise ServiceFailed(f"the gateway failed: {why}") from problem


def forget(fleet: str, settings: RunSettings) -> None:
    """Remove the fleet's topics and groups. Raises UsageError, or ServiceFailed while its gateways run."""
    _check_name(fleet)
    if settings.kafka_bootstrap is None:
        raise UsageError(
            "a fleet leaves topics in Kafka, and nothing anywhere else; name that Kafka: --kafka-bootstrap"
        )
    settings = resolve_brokers(settings)
    services = external_services(settings)
    try:
        members = asyncio.run(who_is_there(services, _common(fleet, settings.brokers)))
    except (GoneForGood, StoreAway) as problem:
        raise ServiceFailed(str(problem)) from problem
    if members:
        raise ServiceFailed(
            f"gateways of the fleet {fleet} are still running ({', '.join(sorted(members))}); stop them first"
        )
    remove_traces(services, _prefix(fleet))


def _check_name(fleet: str) -> None:
    if not FLEET.fullmatch(fleet):
        raise UsageError(f"--fleet is {fleet!r}, but it must be up to 40 of a-z, 0-9 and -")


def _check(standalone: StandaloneGateway, settings: RunSettings, architecture: type[Architecture]) -> None:
    _check_name(standalone.fleet)
    gateways = settings.gateway_count(architecture)
    for name, option, address, required in external_backends(settings, architecture):
        if required and address is None:
            raise UsageError(f"{settings.arch} needs a {name} that all its gateways reach; name it: {option}")
    bind = standalone.exposure.bind
    if (why := cannot_listen(standalone.port, bind)) is not None:
        raise UsageError(f"--listen {bind}:{standalone.port}: {why}")
    if standalone.place is not None and not 0 <= standalone.place < gateways:
        raise UsageError(f"--place is {standalone.place}, but the {gateways} gateways have places 0 to {gateways - 1}")
    if standalone.peers and standalone.place is None:
        raise UsageError("--peers names all gateways by their places; give the place of this one: --place")


def fleet_topology(fleet: str, settings: RunSettings, architecture: type[Architecture]) -> Topology:
    """Return the topology. Its run id depends on its shape: three gateways must not read topics made for two."""
    shape = config.topology(settings, architecture)
    digest = hashlib.sha256(_shape(shape).encode()).hexdigest()[:8]
    return dataclasses.replace(shape, run_id=f"{_prefix(fleet)}{settings.arch}.{digest}")


def _common(fleet: str, brokers: int, gateways: int = 1) -> Topology:
    """Return the topology of the membership, which all shapes share so that gateways detect different settings."""
    return Topology(run_id=f"{_prefix(fleet)}all", gateways=gateways, brokers=brokers)


def _shape(topology: Topology) -> str:
    """Describe, for error messages, the settings that all gateways of one fleet must share."""
    parts = [f"{topology.gateways} gateways"]
    if topology.partitions is not None:
        parts.append(f"{topology.partitions} partitions")
    parts += [f"{name}={value}" for name, value in sorted(topology.options.items())]
    return ", ".join(parts)


def _prefix(fleet: str) -> str:
    """Return the prefix of the fleet's names in Kafka. A fleet's name has no dot, so no prefix begins with another."""
    return f"chatbench-fleet.{fleet}."


def _address(bind: str, services: Services) -> str:
    """Return the address for other hosts: `bind`, or, if that is unspecified, the one used towards the backends."""
    if not ipaddress.ip_address(bind).is_unspecified:
        return bind
    host = _first_host(services)
    family = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as towards:
        towards.connect((host, 9))  # for a datagram socket this only looks up the route and sends nothing
        return str(towards.getsockname()[0])


def _first_host(services: Services) -> str:
    if services.kafka_bootstrap is not None:
        return parse_hosts(services.kafka_bootstrap)[0].host
    if services.redis_url is not None:
        return RedisAddress.parse(services.redis_url).nodes[0].host
    if services.nats_url is not None:
        return NatsAddress.parse(services.nats_url).hosts[0].host
    return LOOPBACK


def _url(standalone: StandaloneGateway, services: Services) -> str:
    """Return the URL at which members and other gateways reach this gateway."""
    if standalone.peers:
        return standalone.peers[standalone.place or 0]
    return standalone.advertise or gateway_url(standalone.port, _address(standalone.exposure.bind, services))


async def _serve_standalone(
    standalone: StandaloneGateway,
    settings: RunSettings,
    architecture: type[Architecture],
    services: Services,
    say: Callable[[str], None],
) -> None:
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    topology = fleet_topology(standalone.fleet, settings, architecture)
    url = _url(standalone, services)
    async with contextlib.AsyncExitStack() as stack:
        membership, place = None, standalone.place or 0
        if not standalone.peers and topology.gateways > 1:
            common = _common(standalone.fleet, topology.brokers, topology.gateways)
            shape = f"{settings.arch} with {_shape(topology)}"
            membership = await stack.enter_async_context(shared_membership(services, common, url, shape))
            place = await membership.take_place(standalone.place)
            stack.push_async_callback(membership.leave)
        await asyncio.to_thread(architecture.provision, services, topology)
        await run_gateway(
            GatewaySettings(
                arch=settings.arch,
                services=services,
                topology=topology,
                index=place,
                port=standalone.port,
                peers=standalone.peers or (url,),
                exposure=standalone.exposure,
                tick_s=settings.tick_s,
            ),
            membership,
            lambda: say(msgspec.json.encode({"gateway": url, "place": place, "of": topology.gateways}).decode()),
        )
