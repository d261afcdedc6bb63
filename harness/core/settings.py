"""The settings of a run: typed, validated, and the same for the command line, the driver and the record."""

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
SEED_MAX = 2**53  # what every reader of the record's JSON knows as a whole number
ROUNDS_MAX = 1_000
PORT_MAX = 65_535
BROKER_COUNTS = (1, 3)
MASTER_BIND = "127.0.0.1:5557"  # unless they are told another address
# Per process: logs, pipes, the brokers' connections, Python's own, and the second socket of members being redirected.
FILES_BESIDE_SOCKETS = 400


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `chatbench run` was asked to do."""

    arch: str
    scenario: str = "big_room"
    members: int = 100
    rooms: int | None = None  # None: the scenario's own number
    rate_per_s: float = 20.0  # messages of all members together
    payload_bytes: int = 100
    payload_sizes: str = "fixed"
    options: tuple[str, ...] = ()  # of the scenario, each as NAME=VALUE
    arch_options: tuple[str, ...] = ()  # of the architecture, as options
    processes: int = 1  # Locust processes that hold members
    duration_s: float = 30.0
    warmup_s: float = 10.0
    gateways: int | None = None  # None: two, or fewer where the architecture takes fewer
    brokers: int = 1
    partitions: int | None = None
    tick_s: float | None = None  # of the gateways' writing; None: adapts to their load
    faults: tuple[str, ...] = ()  # as harness.core.faults writes them
    kafka_bootstrap: str | None = None  # somebody else's brokers; None: brokers of this run's own
    kafka_properties: str | None = None  # the file that says how they are reached
    redis_url: str | None = None  # as kafka_bootstrap; without a password
    nats_url: str | None = None  # as redis_url
    gateways_at: tuple[str, ...] = ()  # URLs of gateways that stand already; none: gateways of this run's own
    expect_workers: int = 0  # Locust workers that others start; 0: `processes` of this run's own
    master_bind: str = MASTER_BIND  # where they find its Locust master
    metrics: str | None = None  # HOST:PORT where a run in progress can be watched
    seed: int = 1
    out: str = "results"

    def gateway_count(self, architecture: type[Candidate]) -> int:
        if self.gateways is not None:
            return self.gateways
        return min(2, architecture.requires.gateways_max or 2)


def validate(settings: RunSettings, architecture: type[Candidate]) -> None:
    """Raise UsageError for the first setting that cannot be."""
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
    for fault in parse_faults(settings):
        check_fault(fault, architecture, gateways, settings.brokers)
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
        raise UsageError(f"--tick is of chatbench's own gateways, and {peer.name} is another; leave it out")
    if settings.gateways_at:
        raise UsageError(f"--gateways-at names chatbench's own gateways, and {peer.name} is another; leave it out")
    if settings.redis_url is not None and redis_address(settings.redis_url).kind is not Kind.SERVER:
        raise UsageError(
            f"--redis-url is {settings.redis_url!r}, but {peer.name} is set up for one server; use redis://HOST:PORT"
        )


class External(NamedTuple):
    """A backend that may be somebody else's."""

    name: str
    option: str
    given: str | None  # where it is, if it is
    required: bool  # by the architecture


def external_backends(settings: RunSettings, architecture: type[Candidate]) -> list[External]:
    """All that there are."""
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
    backends = external_backends(settings, architecture)
    for name, option, given, required in backends:
        if given is not None and not required:
            raise UsageError(f"{option} is {given!r}, but {settings.arch} uses no {name}; leave it out")
    if settings.kafka_properties is not None and settings.kafka_bootstrap is None:
        raise UsageError("--kafka-properties says how brokers are reached; say which with --kafka-bootstrap")
    if redis is not None:
        _validate_redis(redis, architecture)
    if all(backend.given is None for backend in backends):
        return
    for fault in parse_faults(settings):
        if fault.target not in {"gateway", "members"}:
            raise UsageError(
                f"--fault {fault.kind} would break what is not this run's own; leave --kafka-bootstrap, "
                "--redis-url and --nats-url out, or break gateways and members only"
            )


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
            raise UsageError(f"{option} is for gateways of a run's own, and --gateways-at names others; leave it out")


def validate_load(settings: RunSettings) -> None:
    """The part of `validate` that is about the load."""
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
            f"--processes is {settings.processes}, but with --expect-workers all members are theirs; leave it out"
        )
    host_port("--master-bind", settings.master_bind)
    if not settings.expect_workers and settings.master_bind != MASTER_BIND:
        raise UsageError(
            f"--master-bind is {settings.master_bind!r}, but nobody is to join there; say how many: --expect-workers"
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
    """The token of the environment, if there is one; raises UsageError for what no HTTP header could carry."""
    try:
        return token_of_environment()
    except BadToken as problem:
        raise UsageError(f"{problem}; `openssl rand -hex 16` makes one") from problem


def parse_faults(settings: RunSettings) -> list[Fault]:
    """The faults that were asked for; raises UsageError."""
    faults = [parse_fault(spec, settings.duration_s) for spec in settings.faults]
    check_apart(faults)
    return faults


def new_run_id() -> str:
    """The prefix of all that one run makes at its backends."""
    return f"chatbench-{secrets.token_hex(4)}"


def topology(settings: RunSettings, architecture: type[Candidate], run_id: str = "") -> Topology:
    """The shape that the settings ask for; what only looks at the shape needs no id. Raises UsageError."""
    return Topology(
        run_id=run_id,
        gateways=settings.gateway_count(architecture),
        brokers=settings.brokers,
        partitions=settings.partitions,
        options=architecture_options(settings, architecture),
    )


def architecture_options(settings: RunSettings, architecture: type[Candidate]) -> dict[str, Option]:
    """All of the architecture's options, chosen or default; raises UsageError."""
    try:
        return choose_options(architecture.options, parse_options("--arch-set", settings.arch_options))
    except BadOption as problem:
        raise UsageError(f"--arch-set: {settings.arch} {problem}") from problem


def make_out_dir(out: str) -> Path:
    """The folder records are written to; raises UsageError if it cannot be written."""
    path = Path(out)
    if not is_plain(str(path.absolute())):
        raise UsageError(f"--out is {out!r}, which has a character that cannot be written down; name another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError("permission denied")
        # root passes every permission check, but not a read-only file system: only a write tells.
        probe = path / f".chatbench-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise UsageError(
            f"--out {out!r} cannot be written ({problem.strerror or problem}); name a folder you may write to"
        ) from problem
    return path


def raise_open_file_limit() -> None:
    """Up to the hard limit. Children inherit it: the audience and the gateways hold a socket a member."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_needed(members: int) -> int:
    """The most files one process of a run holds: the driver's audience has a socket a member."""
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
    """Raise UsageError, in people's units, if it is not."""
    if not least <= value <= most:  # also true for NaN
        raise UsageError(f"{option} is {shown(value)}, but it must be between {shown(least)} and {shown(most)}")
