"""The settings of a run, typed and validated: one struct for the command line, the driver and the record."""

from __future__ import annotations

import os
import resource
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from architectures.clients.redis_address import Kind, RedisAddress
from architectures.interface import BadTopology, Candidate, Option, Topology
from harness.core.addresses import gateway_url, host_port, kafka_hosts, nats_address, redis_address
from harness.core.errors import UsageError
from harness.core.escapes import is_plain
from harness.core.faults import Fault, check_apart, check_fault, parse_fault
from harness.core.options import BadOption, choose_options, parse_options
from harness.core.payload import SIZE_MAX_BYTES, SPREADS
from harness.core.registry import check_scenario_options, find_scenario
from harness.core.token import BadToken, token_of_environment
from harness.core.units import duration_text, number_text, size_text
from peers.interface import Peer

MEMBERS_MAX = 100_000
GATEWAYS_MAX = 64
PROCESSES_MAX = 64
PARTITIONS_MAX = 1_000
TICK_MAX_S = 1.0
RATE_MAX_PER_S = 1_000_000.0
DURATION_MAX_S = 24 * 3600.0
SEED_MAX = 2**53  # larger integers are not exact in every JSON reader
ROUNDS_MAX = 1_000
PORT_MAX = 65_535
BROKER_COUNTS = (1, 3)
MASTER_BIND = "127.0.0.1:5557"
# Open files per process, besides one socket per member: logs, pipes, connections to brokers, Python's own files, and
# the second sockets of members that are being redirected.
FILES_BESIDE_SOCKETS = 400


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one run, as `chatbench run` takes them from the command line."""

    arch: str
    scenario: str = "big_room"
    members: int = 100
    rooms: int | None = None  # None: the scenario's default
    rate_per_s: float = 20.0  # messages of all members together
    payload_bytes: int = 100  # mean size of a message's text
    payload_sizes: str = "fixed"  # a distribution of harness.core.payload
    options: tuple[str, ...] = ()  # of the scenario, each as NAME=VALUE
    arch_options: tuple[str, ...] = ()  # of the architecture, each as NAME=VALUE
    label: str = ""  # tells runs of the same architecture apart that would otherwise be rounds of one
    processes: int = 1  # Locust processes that hold members
    duration_s: float = 30.0
    warmup_s: float = 10.0
    gateways: int | None = None  # None: two, or fewer if the architecture allows only fewer
    brokers: int = 1
    partitions: int | None = None  # None: one per gateway
    tick_s: float | None = None  # between a gateway's writes to a busy room; None: adapts to the load
    faults: tuple[str, ...] = ()  # in the form that harness.core.faults parses
    kafka_bootstrap: str | None = None  # addresses of external brokers; None: the run starts its own
    kafka_properties: str | None = None  # the file with the client settings for external brokers
    redis_url: str | None = None  # of an external Redis, without a password; None: the run starts its own
    nats_url: str | None = None  # of an external NATS, without a password; None: the run starts its own
    gateways_at: tuple[str, ...] = ()  # URLs of gateways that run already; empty: the run starts its own
    expect_workers: int = 0  # number of Locust workers that others start; 0: the run starts `processes` workers
    master_bind: str = MASTER_BIND  # HOST:PORT at which these workers reach the Locust master
    metrics: str | None = None  # HOST:PORT that serves live metrics of the run
    seed: int = 1
    out: str = "results"

    def gateway_count(self, architecture: type[Candidate]) -> int:
        if self.gateways is not None:
            return self.gateways
        return min(2, architecture.requires.gateways_max or 2)


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


def validate_load(settings: RunSettings) -> None:
    """Raise UsageError for the first setting of the load that is not possible."""
    in_range("--members", settings.members, 2, MEMBERS_MAX)
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
        _enough_open_files(settings.members)


def own_token() -> str | None:
    """Return the token from the environment, if it is set; raises UsageError if an HTTP header cannot carry it."""
    try:
        return token_of_environment()
    except BadToken as problem:
        raise UsageError(f"{problem}; `openssl rand -hex 16` makes one") from problem


def parse_faults(settings: RunSettings) -> list[Fault]:
    """Parse the faults of the settings; raises UsageError."""
    faults = [parse_fault(spec, settings.duration_s) for spec in settings.faults]
    check_apart(faults)
    return faults


def needs_proxies(settings: RunSettings) -> bool:
    """Whether the faults of the run need proxies between gateways and backends; raises UsageError."""
    return any(fault.needs_proxy for fault in parse_faults(settings))


def new_run_id() -> str:
    """Return a new prefix for the names of everything that a run creates at its backends."""
    return f"chatbench-{secrets.token_hex(4)}"


def topology(settings: RunSettings, architecture: type[Candidate], run_id: str = "") -> Topology:
    """Return the topology of the settings; raises UsageError. `run_id` is needed only to connect to the backends."""
    return Topology(
        run_id=run_id,
        gateways=settings.gateway_count(architecture),
        brokers=settings.brokers,
        partitions=settings.partitions,
        options=architecture_options(settings, architecture),
    )


def architecture_options(settings: RunSettings, architecture: type[Candidate]) -> dict[str, Option]:
    """Return all options of the architecture, with the given values or the defaults; raises UsageError."""
    try:
        return choose_options(architecture.options, parse_options("--arch-set", settings.arch_options))
    except BadOption as problem:
        raise UsageError(f"--arch-set: {settings.arch} {problem}") from problem


def make_out_dir(out: str) -> Path:
    """Create the folder for records if need be, and return it; raises UsageError if it cannot be written."""
    path = Path(out)
    if not is_plain(str(path.absolute())):
        raise UsageError(f"--out is {out!r}, which has a character that a record cannot hold; name another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError("permission denied")
        # os.access is always true for root, so only a write shows whether the file system is read-only.
        probe = path / f".chatbench-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise UsageError(
            f"--out {out!r} cannot be written ({problem.strerror or problem}); name a folder you may write to"
        ) from problem
    return path


def raise_open_file_limit() -> None:
    """Raise it to the hard limit. Child processes inherit it, and the audience and gateways hold a socket a member."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_needed(members: int) -> int:
    """Return how many files the audience process, which has one socket per member, holds open at most."""
    return members + FILES_BESIDE_SOCKETS


def _enough_open_files(members: int) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = open_files_needed(members)
    if hard not in (resource.RLIM_INFINITY, -1) and needed > hard:
        raise UsageError(
            f"--members {members} needs {needed} open files in one process, but the limit here is {hard}; "
            f"use --members {max(2, hard - FILES_BESIDE_SOCKETS)} or fewer, or raise the hard limit (ulimit -Hn)"
        )


def in_range(option: str, value: float, least: float, most: float, shown: Callable[[float], str] = number_text) -> None:
    """Raise UsageError if the value is out of range; `shown` formats the numbers in the message."""
    if not least <= value <= most:  # also true for NaN
        raise UsageError(f"{option} is {shown(value)}, but it must be between {shown(least)} and {shown(most)}")
