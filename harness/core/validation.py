"""Whether the settings of a run are possible: the first that is not is refused in one sentence."""

from __future__ import annotations

from typing import NamedTuple

from architectures.clients.redis_address import Kind, RedisAddress
from architectures.interface import BadTopology, Candidate
from harness.core.addresses import gateway_url, host_port, kafka_hosts, nats_address, redis_address
from harness.core.errors import UsageError
from harness.core.faults import check_fault
from harness.core.open_files import check_open_files
from harness.core.options import parse_options
from harness.core.payload import SIZE_MAX_BYTES, SPREADS
from harness.core.registry import check_scenario_options, find_scenario
from harness.core.settings import (
    BROKER_COUNTS,
    DURATION_MAX_S,
    GATEWAYS_MAX,
    MASTER_BIND,
    MEMBERS_MAX,
    MEMBERS_MIN,
    PARTITIONS_MAX,
    PROCESSES_MAX,
    RATE_MAX_PER_S,
    SEED_MAX,
    TICK_MAX_S,
    RunSettings,
    in_range,
    own_token,
    parse_faults,
    topology,
)
from harness.core.units import duration_text, size_text
from peers.interface import Peer


def validate(settings: RunSettings, architecture: type[Candidate]) -> None:
    """Raise UsageError for the first setting that is not possible."""
    validate_load(settings)
    own_token()
    if issubclass(architecture, Peer):
        _validate_peer(settings, architecture)
    gateways = settings.gateway_count(architecture)
    in_range("--gateways", gateways, 1, GATEWAYS_MAX)
    if settings.partitions is not None:
        in_range("--partitions", settings.partitions, 1, PARTITIONS_MAX)
    if settings.kafka_bootstrap is None and settings.brokers not in BROKER_COUNTS:
        raise UsageError(f"--brokers is {settings.brokers}, but it must be 1 or 3")
    if settings.brokers != 1 and not architecture.requires.kafka:
        raise UsageError(f"--brokers is {settings.brokers}, but {settings.arch} uses no Kafka; leave it out")
    if settings.partitions is not None and not architecture.requires.kafka:
        raise UsageError(f"--partitions is {settings.partitions}, but {settings.arch} uses no Kafka; leave it out")
    if settings.gateways_at:
        _validate_remote(settings)
    _validate_external(settings, architecture)
    if settings.tick_s is not None:
        in_range("--tick", settings.tick_s, 0, TICK_MAX_S, duration_text)
    _validate_faults(settings, architecture, gateways)
    try:
        architecture.check(topology(settings, architecture))
    except BadTopology as problem:
        raise UsageError(str(problem)) from problem
    scenario = find_scenario(settings.scenario)
    if settings.options:
        check_scenario_options(scenario, parse_options("--set", settings.options))


def validate_load(settings: RunSettings) -> None:
    """Raise UsageError for the first setting of the load that is not possible."""
    in_range("--members", settings.members, MEMBERS_MIN, MEMBERS_MAX)
    if settings.rooms is not None:
        in_range("--rooms", settings.rooms, 1, settings.members)
    in_range("--rate", settings.rate_per_s, 0.1, RATE_MAX_PER_S)
    in_range("--payload", settings.payload_bytes, 1, SIZE_MAX_BYTES, size_text)
    if settings.payload_sizes not in SPREADS:
        raise UsageError(f"--payload-sizes is {settings.payload_sizes!r}, but it must be one of {', '.join(SPREADS)}")
    in_range("--processes", settings.processes, 1, PROCESSES_MAX)
    in_range("--expect-workers", settings.expect_workers, 0, PROCESSES_MAX)
    if settings.expect_workers and settings.processes != 1:
        raise UsageError(
            f"--processes is {settings.processes}, but with --expect-workers the workers hold all members; leave it out"
        )
    host_port("--master-bind", settings.master_bind)
    if not settings.expect_workers and settings.master_bind != MASTER_BIND:
        raise UsageError(
            f"--master-bind is {settings.master_bind!r}, but no workers are expected; say how many: --expect-workers"
        )
    if settings.metrics is not None:
        host_port("--metrics", settings.metrics)
    parse_options("--set", settings.options)
    in_range("--duration", settings.duration_s, 1, DURATION_MAX_S, duration_text)
    in_range("--warmup", settings.warmup_s, 0, DURATION_MAX_S, duration_text)
    in_range("--seed", settings.seed, 0, SEED_MAX)
    if not settings.expect_workers:
        check_open_files(settings.members)


def _validate_peer(settings: RunSettings, peer: type[Peer]) -> None:
    if (why := peer.missing()) is not None:
        raise UsageError(why)
    if settings.tick_s is not None:
        raise UsageError(f"--tick is for chatbench's own gateway, but {peer.name} brings another; leave it out")
    if settings.gateways_at:
        raise UsageError(f"--gateways-at is for chatbench's own gateway, but {peer.name} brings another; leave it out")
    if settings.redis_url is not None and redis_address(settings.redis_url).kind is not Kind.SERVER:
        raise UsageError(
            f"--redis-url is {settings.redis_url!r}, but {peer.name} is set up for one server; use redis://HOST:PORT"
        )


class External(NamedTuple):
    """A backend that the run may use instead of starting its own."""

    name: str
    option: str
    given: str | None  # its address; None: the run starts its own
    required: bool  # by the architecture


def external_backends(settings: RunSettings, architecture: type[Candidate]) -> list[External]:
    """Return every backend that can be external, whether or not the settings name one."""
    requires = architecture.requires
    return [
        External("Kafka", "--kafka-bootstrap", settings.kafka_bootstrap, requires.kafka),
        External("Redis", "--redis-url", settings.redis_url, requires.any_redis),
        External("NATS", "--nats-url", settings.nats_url, requires.nats),
    ]


def _validate_external(settings: RunSettings, architecture: type[Candidate]) -> None:
    if settings.kafka_bootstrap is not None:
        kafka_hosts(settings.kafka_bootstrap)
    if settings.nats_url is not None:
        nats_address(settings.nats_url)
    redis = None if settings.redis_url is None else redis_address(settings.redis_url)
    for name, option, given, required in external_backends(settings, architecture):
        if given is not None and not required:
            raise UsageError(f"{option} is {given!r}, but {settings.arch} uses no {name}; leave it out")
    if settings.kafka_properties is not None and settings.kafka_bootstrap is None:
        raise UsageError("--kafka-properties says how brokers are reached; name them with --kafka-bootstrap")
    if redis is not None:
        _validate_redis(redis, architecture)


def _validate_faults(settings: RunSettings, architecture: type[Candidate], gateways: int) -> None:
    is_external = any(backend.given is not None for backend in external_backends(settings, architecture))
    for fault in parse_faults(settings):
        if is_external and fault.target not in {"gateway", "members"}:
            raise UsageError(
                f"--fault {fault.kind} would break a backend that the run did not start; leave --kafka-bootstrap, "
                "--redis-url and --nats-url out, or break only gateways and members"
            )
        check_fault(fault, architecture, gateways, settings.brokers)


def _validate_redis(address: RedisAddress, architecture: type[Candidate]) -> None:
    is_cluster = address.kind is Kind.CLUSTER
    if architecture.requires.redis_cluster and not is_cluster:
        raise UsageError(
            f"--redis-url is {str(address)!r}, but {architecture.name} needs a cluster; "
            "name its nodes: redis+cluster://HOST:PORT,..."
        )
    if is_cluster and not (architecture.requires.redis_cluster or architecture.requires.redis_any_node):
        raise UsageError(
            f"--redis-url is {str(address)!r}, but {architecture.name} cannot use a cluster; "
            "name one server, redis://HOST:PORT, or sentinels, redis+sentinel://HOST,.../NAME"
        )


def _validate_remote(settings: RunSettings) -> None:
    for url in settings.gateways_at:
        gateway_url("--gateways-at", url)
    given = {
        "--gateways": settings.gateways is not None,
        "--brokers": settings.brokers != 1,
        "--partitions": settings.partitions is not None,
        "--arch-set": bool(settings.arch_options),
        "--tick": settings.tick_s is not None,
        "--kafka-bootstrap": settings.kafka_bootstrap is not None,
        "--redis-url": settings.redis_url is not None,
        "--nats-url": settings.nats_url is not None,
        "--fault": bool(settings.faults),
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} is for gateways that the run starts, but --gateways-at names others; leave it out"
            )
