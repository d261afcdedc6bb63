"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from harness.cli.config_file import config_option
from harness.cli.types import ADAPTIVE, COUNT, DURATION, NUMBER, SIZE, TICK


def complete_architecture(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from harness.core.registry import architecture_names, peer_names

    return [name for name in (*architecture_names(), *peer_names()) if name.startswith(begun)]


def complete_scenario(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from harness.core.registry import scenario_files

    return [name for name in scenario_files() if name.startswith(begun)]


def together(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds several options, shown in this order."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


ARCH = click.option(
    "--arch",
    required=True,
    envvar="CHATBENCH_ARCH",
    metavar="NAME",
    shell_complete=complete_architecture,
    help="Architecture to run; `chatbench list` shows all of them.",
)


def _candidates() -> list[str]:
    from harness.core.registry import candidates

    return candidates()


ARCHITECTURES = click.option(
    "--arch",
    "architectures",
    multiple=True,
    default=_candidates,
    metavar="NAME",
    shell_complete=complete_architecture,
    help="Architecture to run; repeat it for several.  [default: every candidate that `chatbench list` shows]",
)
PARTITIONS = click.option(
    "--partitions", type=COUNT, metavar="N", help="Number of Kafka partitions.  [default: one per gateway]"
)
TICK_OPTION = click.option(
    "--tick",
    "tick_s",
    type=TICK,
    default=ADAPTIVE,
    show_default=True,
    metavar="HOW LONG",
    help="How long a gateway collects the messages of a busy room before it writes them to the members: 0 (do not "
    "collect), a time such as 20ms, or adaptive, which is 2 to 50 ms depending on the gateway's CPU load.",
)
other_shape_options = together(
    click.option(
        "--brokers", type=COUNT, default=1, show_default=True, metavar="N", help="Number of Kafka brokers, 1 or 3."
    ),
    PARTITIONS,
    TICK_OPTION,
)
shape_options = together(
    click.option("--gateways", type=COUNT, metavar="N", help="Number of gateway processes.  [default: 2; direct: 1]"),
    other_shape_options,
)
kafka_options = together(
    click.option(
        "--kafka-bootstrap",
        envvar="CHATBENCH_KAFKA_BOOTSTRAP",
        metavar="HOST:PORT,...",
        help="Running Kafka brokers to connect to, instead of starting any.",
    ),
    click.option(
        "--kafka-properties",
        envvar="CHATBENCH_KAFKA_PROPERTIES",
        metavar="FILE",
        help="File of librdkafka properties for connecting to the brokers, one key=value per line "
        "(security.protocol, sasl.*, ssl.*).",
    ),
)
external_options = together(
    kafka_options,
    click.option(
        "--redis-url",
        envvar="CHATBENCH_REDIS_URL",
        metavar="URL",
        help="Use this running Redis: redis(s)://HOST, redis+sentinel://HOST,.../NAME or redis+cluster://HOST,... "
        "Its password is read from CHATBENCH_REDIS_PASSWORD, that of the sentinels from CHATBENCH_SENTINEL_PASSWORD.",
    ),
    click.option(
        "--nats-url",
        envvar="CHATBENCH_NATS_URL",
        metavar="URL",
        help="Use this running NATS: nats://HOST:PORT or tls://HOST:PORT. Its password is read from "
        "CHATBENCH_NATS_PASSWORD, or a token from CHATBENCH_NATS_TOKEN.",
    ),
)


def _addresses(_context: click.Context, _parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
    return () if given is None else tuple(given.split(","))


host_options = together(
    click.option(
        "--gateways-at",
        metavar="URL,...",
        callback=_addresses,
        help="Use these running gateways (`chatbench gateway`), as ws://HOST:PORT. The URL of one is enough: it names "
        "the others.",
    ),
    click.option(
        "--expect-workers",
        type=COUNT,
        default=0,
        show_default=True,
        metavar="N",
        help="Number of Locust workers that you start yourself with `chatbench worker`, on this or another host.",
    ),
    click.option(
        "--master-bind",
        default="127.0.0.1:5557",
        show_default=True,
        metavar="HOST:PORT",
        help="Address of Locust's master, which these workers connect to.",
    ),
    click.option(
        "--metrics",
        metavar="HOST:PORT",
        help="Serve the metrics of the run in progress at this address, as OpenMetrics at /metrics.",
    ),
)
ARCH_SET = click.option(
    "--arch-set",
    "arch_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set an option of the architecture; `chatbench list` shows them.",
)
_DEDUP = click.option("--dedup", is_flag=True, help="Short form of --arch-set dedup=1.")


def arch_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --arch-set, and --dedup as the short form of its most frequent use."""

    @functools.wraps(command)
    def with_dedup(*, dedup: bool, arch_options: tuple[str, ...], **given: Any) -> None:
        command(arch_options=(*arch_options, "dedup=1") if dedup else arch_options, **given)

    return ARCH_SET(_DEDUP(with_dedup))


FAULT = click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="WHAT[@WHEN]",
    help="Fault to inject during the run: kill:gateway@10s, kill:broker, restart:redis, pause:redis:5s, pause:gateway, "
    "cut:gateway-broker:5s, reset:gateway-redis, slow:members, ...",
)
SEED = click.option(
    "--seed", type=COUNT, default=1, show_default=True, metavar="N", help="Seed for the random choices of the load."
)
OUT = click.option(
    "--out", default="results", show_default=True, metavar="DIR", help="Folder that records are written to."
)
DURATION_OPTION = click.option(
    "--duration",
    "duration_s",
    type=DURATION,
    default="30s",
    show_default=True,
    help="Length of the measurement, such as 30s or 2m.",
)
_LOAD = (
    click.option(
        "--scenario",
        default="big_room",
        show_default=True,
        metavar="NAME|PATH",
        shell_complete=complete_scenario,
        help="Scenario: one that `chatbench list` shows, or the path of a locustfile.",
    ),
    click.option(
        "--members",
        type=COUNT,
        default=100,
        show_default=True,
        metavar="N",
        help="Number of members, summed over all rooms.",
    ),
    click.option("--rooms", type=COUNT, metavar="N", help="Number of rooms.  [default: chosen by the scenario]"),
    click.option(
        "--payload",
        "payload_bytes",
        type=SIZE,
        default=100,
        show_default=True,
        metavar="SIZE",
        help="Size of a message's text, such as 100 or 4KiB.",
    ),
    click.option(
        "--payload-sizes",
        default="fixed",
        show_default=True,
        metavar="HOW",
        help="Distribution of the sizes around --payload: fixed, exponential or lognormal.",
    ),
    click.option(
        "--set",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set an option of the scenario; `chatbench list` shows them.",
    ),
    click.option(
        "--processes",
        type=COUNT,
        default=1,
        show_default=True,
        metavar="N",
        help="Number of Locust processes that share the members.",
    ),
    DURATION_OPTION,
    click.option(
        "--warmup",
        "warmup_s",
        type=DURATION,
        default="10s",
        show_default=True,
        help="Load before the measurement; its figures are discarded.",
    ),
    SEED,
    OUT,
    config_option,
)
load_options = together(*_LOAD)
endless_load_options = together(*(option for option in _LOAD if option is not DURATION_OPTION))
RATE_HELP = "Messages per second, summed over all members, such as 20 or 1k."
RATE = click.option("--rate", "rate_per_s", type=NUMBER, default=20, show_default=True, metavar="N", help=RATE_HELP)


FLEET = click.option(
    "--fleet",
    default="chat",
    show_default=True,
    metavar="NAME",
    help="Name of the fleet; gateways with the same name find each other.",
)
