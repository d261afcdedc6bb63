"""`chatbench up`: services and gateways without a load, until interrupted."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.config_file import config_option
from harness.cli.console import run_progress
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    arch_options,
    external_options,
    shape_options,
)


@command()
@ARCH
@shape_options
@arch_options
@click.option(
    "--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address that the gateways listen on."
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Origin of web pages that may connect, in addition to this host's own; repeat it for several.",
)
@external_options
@config_option
def up(bind: str, origins: tuple[str, ...], **given: Any) -> None:
    """Start services and gateways, print the gateways' addresses as JSON, and stay until interrupted.

    If CHATBENCH_TOKEN is set, gateways serve only clients that send it (`Authorization: Bearer ...` or `?token=...`).
    The members of a scenario send it if it is set in their environment too. It is required if other hosts can reach
    the gateways.

    While the services are up, `chatbench run` uses them instead of starting its own if they match its options. It
    allows one run at a time, and no faults.

    \b
    Examples:
      chatbench up --arch plan1
      CHATBENCH_TOKEN=$(openssl rand -hex 16) chatbench up --arch plan1 --bind 192.168.1.20
      locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002
    """
    from harness.core.registry import load_architecture
    from harness.core.settings import RunSettings
    from harness.serve.stack import exposure_of, stay_up

    settings = RunSettings(**given)
    stay_up(
        settings, load_architecture(settings.arch), exposure_of("--bind", bind, origins), run_progress(), click.echo
    )
