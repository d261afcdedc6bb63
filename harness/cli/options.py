"""The options that several commands share."""

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


def together(*given: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Several options at once, shown in this order."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(given):
            command = option(command)
        return command

    return add


ARCH = click.option(
    "--arch",
    required=True,
    envvar="CHATBENCH_ARCH",
    metavar="NAME",
    shell_complete=complete_architecture,
    help="Architecture; `chatbench list` names them.",
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
    help="Give it as often as you like.  [default: every candidate that `chatbench list` names]",
)
PARTITIONS = click.option("--partitions", type=COUNT, metavar="N", help="Kafka partitions.  [default: one per gateway]")
TICK_OPTION = click.option(
    "--tick",
    "tick_s",
    type=TICK,
    default=ADAPTIVE,
    show_default=True,
    metavar="HOW LONG",
    help="What a gateway gathers in a busy room before it writes to the members: 0 for nothing, 20ms, or adaptive, "
    "from 2 to 50 ms as the gateway's CPU fills.",
)
shape_options = together(
    click.option("--gateways", type=COUNT, metavar="N", help="Gateway processes.  [default: 2; direct: 1]"),
    click.option("--brokers", type=COUNT, default=1, show_default=True, metavar="N", help="Kafka brokers, 1 or 3."),
    PARTITIONS,
    TICK_OPTION,
)
kafka_options = together(
    click.option(
        "--kafka-bootstrap",
        envvar="CHATBENCH_KAFKA_BOOTSTRAP",
        metavar="HOST:PORT,...",
        help="Brokers that run already, instead of own ones.",
    ),
    click.option(
        "--kafka-properties",
        envvar="CHATBENCH_KAFKA_PROPERTIES",
        metavar="FILE",
        help="How they are reached: key=value lines as librdkafka has them (security.protocol, sasl.*, ssl.*).",
    ),
)
external_options = together(
    kafka_options,
    click.option(
        "--redis-url",
        envvar="CHATBENCH_REDIS_URL",
        metavar="URL",
        help="A Redis that runs already: redis(s)://HOST, redis+sentinel://HOST,.../NAME, redis+cluster://HOST,...; "
        "its password is taken from CHATBENCH_REDIS_PASSWORD, that of sentinels from CHATBENCH_SENTINEL_PASSWORD.",
    ),
    click.option(
        "--nats-url",
        envvar="CHATBENCH_NATS_URL",
        metavar="URL",
        help="A NATS that runs already: nats://HOST:PORT or tls://HOST:PORT; its password is taken from "
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
        help="Gateways that stand already (`chatbench gateway`), as ws://HOST:PORT; one of them names the others.",
    ),
    click.option(
        "--expect-workers",
        type=COUNT,
        default=0,
        show_default=True,
        metavar="N",
        help="Locust workers that you start yourself (`chatbench worker`), here or elsewhere.",
    ),
    click.option(
        "--master-bind",
        default="127.0.0.1:5557",
        show_default=True,
        metavar="HOST:PORT",
        help="Where these join Locust's master.",
    ),
    click.option(
        "--metrics",
        metavar="HOST:PORT",
        help="Serve the run's progress there as OpenMetrics, at /metrics, as gateways do theirs.",
    ),
)
ARCH_SET = click.option(
    "--arch-set",
    "arch_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the architecture's own; `chatbench list` names them.",
)
_DEDUP = click.option("--dedup", is_flag=True, help="Short for --arch-set dedup=1.")


def arch_options(command: Callable[..., None]) -> Callable[..., None]:
    """--arch-set, and its short form for the option that is given most."""

    @functools.wraps(command)
    def with_dedup(*, dedup: bool, arch_options: tuple[str, ...], **given: Any) -> None:
        command(arch_options=(*arch_options, "dedup=1") if dedup else arch_options, **given)

    return ARCH_SET(_DEDUP(with_dedup))


FAULT = click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="WHAT[@WHEN]",
    help="Break something meanwhile: kill:gateway@10s, kill:broker, restart:redis, pause:redis:5s, pause:gateway, "
    "cut:gateway-broker:5s, reset:gateway-redis, slow:members, ...",
)
SEED = click.option(
    "--seed", type=COUNT, default=1, show_default=True, metavar="N", help="Of the load's random choices."
)
OUT = click.option("--out", default="results", show_default=True, metavar="DIR", help="Where records are written.")
DURATION_OPTION = click.option(
    "--duration",
    "duration_s",
    type=DURATION,
    default="30s",
    show_default=True,
    help="How long to measure: 30s, 2m.",
)
_LOAD = (
    click.option(
        "--scenario",
        default="big_room",
        show_default=True,
        metavar="NAME|PATH",
        shell_complete=complete_scenario,
        help="A locustfile.",
    ),
    click.option("--members", type=COUNT, default=100, show_default=True, metavar="N", help="Of all rooms together."),
    click.option("--rooms", type=COUNT, metavar="N", help="Rooms.  [default: the scenario's own]"),
    click.option(
        "--payload",
        "payload_bytes",
        type=SIZE,
        default=100,
        show_default=True,
        metavar="SIZE",
        help="Of a message's text: 100, 4KiB.",
    ),
    click.option(
        "--payload-sizes",
        default="fixed",
        show_default=True,
        metavar="HOW",
        help="How sizes spread around it: fixed, exponential, lognormal.",
    ),
    click.option(
        "--set",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the scenario's own; `chatbench list` names them.",
    ),
    click.option(
        "--processes",
        type=COUNT,
        default=1,
        show_default=True,
        metavar="N",
        help="Locust processes, each with members of its own.",
    ),
    DURATION_OPTION,
    click.option(
        "--warmup", "warmup_s", type=DURATION, default="10s", show_default=True, help="Load before that, discarded."
    ),
    SEED,
    OUT,
    config_option,
)
load_options = together(*_LOAD)
endless_load_options = together(*(option for option in _LOAD if option is not DURATION_OPTION))
RATE_HELP = "Messages per second of all members together: 20, 1k."
RATE = click.option("--rate", "rate_per_s", type=NUMBER, default=20, show_default=True, metavar="N", help=RATE_HELP)


FLEET = click.option(
    "--fleet", default="chat", show_default=True, metavar="NAME", help="Gateways of one name find each other."
)
