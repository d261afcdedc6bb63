"""The settings of a run: one struct for the command line, the driver and the record, and what follows from it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from architectures.interface import Candidate, Option, Topology
from harness.core.errors import UsageError
from harness.core.escapes import is_plain
from harness.core.faults import Fault, check_apart, parse_fault
from harness.core.options import BadOption, choose_options, parse_options
from harness.core.token import BadToken, token_of_environment
from harness.core.units import number_text

MEMBERS_MIN, MEMBERS_MAX = 2, 100_000
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


def in_range(option: str, value: float, least: float, most: float, shown: Callable[[float], str] = number_text) -> None:
    """Raise UsageError if the value is out of range; `shown` formats the numbers in the message."""
    if not least <= value <= most:  # also true for NaN
        raise UsageError(f"{option} is {shown(value)}, but it must be between {shown(least)} and {shown(most)}")
