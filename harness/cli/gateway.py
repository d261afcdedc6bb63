"""`chatbench gateway`: one gateway of a fleet, on a host of its own."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from harness.cli import conflicts
from harness.cli.config_file import config_option
from harness.cli.help import command
from harness.cli.options import ARCH, FLEET, PARTITIONS, TICK_OPTION, arch_options, external_options
from harness.cli.types import COUNT


@command()
@ARCH
@click.option(
    "--listen",
    default="127.0.0.1:9001",
    show_default=True,
    metavar="HOST:PORT",
    help="Address that members connect to.",
)
@click.option(
    "--advertise",
    metavar="URL",
    help="URL at which others reach this gateway, as ws://HOST:PORT.  [default: derived from --listen]",
)
@FLEET
@click.option(
    "--gateways",
    type=COUNT,
    envvar="CHATBENCH_GATEWAYS",
    metavar="N",
    help="Number of gateways in the fleet.  [default: 2; direct: 1]",
)
@click.option(
    "--place", type=COUNT, metavar="I", help="Place of this gateway in the fleet, from 0.  [default: a free place]"
)
@click.option(
    "--peers",
    metavar="URL,...",
    help="URLs of all gateways in order of their places, including this one. The fleet then keeps no membership.",
)
@PARTITIONS
@TICK_OPTION
@arch_options
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Origin of web pages that may connect, in addition to this host's own; repeat it for several.",
)
@external_options
@config_option
def gateway(
    *,
    listen: str,
    advertise: str | None,
    fleet: str,
    place: int | None,
    peers: str | None,
    origins: tuple[str, ...],
    **given: Any,
) -> None:
    """Serve members as one gateway of a fleet, on this host, until interrupted.

    Start one gateway for each place, on any hosts. The gateways keep their membership in the Kafka, Redis or NATS that
    they share, and use it to agree on their places. `chatbench run --gateways-at URL` drives them. A gateway that other
    hosts can reach needs a token in CHATBENCH_TOKEN, and the host that drives it needs the same token.

    \b
    Examples:
      chatbench gateway --arch plan1 --gateways 2 --kafka-bootstrap 192.168.1.5:9092
      chatbench gateway --arch redis --gateways 3 --listen 0.0.0.0:9001 --redis-url redis://192.168.1.6
      chatbench gateway --arch plan2 --kafka-bootstrap 192.168.1.5:9092 \\
        --peers ws://192.168.1.20:9001,ws://192.168.1.21:9001 --place 0 --listen 192.168.1.20:9001

    Topics and groups that it creates in Kafka are kept for the next start; `chatbench forget` removes them.
    """
    from harness.core.addresses import gateway_url, host_port
    from harness.core.registry import load_architecture
    from harness.core.settings import RunSettings
    from harness.serve.gateway import StandaloneGateway, serve_standalone
    from harness.serve.stack import exposure_of

    if peers is not None:
        conflicts.refuse(["advertise"], "--peers already gives this gateway's URL, at its --place")
    host, port = host_port("--listen", listen)
    standalone = StandaloneGateway(
        fleet=fleet,
        exposure=exposure_of("--listen", host, origins),
        port=port,
        advertise=None if advertise is None else gateway_url("--advertise", advertise),
        place=place,
        peers=() if peers is None else tuple(gateway_url("--peers", url) for url in peers.split(",")),
    )
    architecture = load_architecture(given["arch"])
    # An environment shared by all gateways may name backends that this architecture does not need.
    source = click.get_current_context().get_parameter_source
    for name, needed in (
        ("kafka_bootstrap", architecture.requires.kafka),
        ("redis_url", architecture.requires.any_redis),
        ("nats_url", architecture.requires.nats),
    ):
        if not needed and source(name) is ParameterSource.ENVIRONMENT:
            given[name] = None
    serve_standalone(standalone, RunSettings(**given), architecture, click.echo)
