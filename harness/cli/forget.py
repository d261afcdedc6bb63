"""`chatbench forget`: remove what a fleet of gateways created in Kafka."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.config_file import config_option
from harness.cli.help import command
from harness.cli.options import FLEET, kafka_options


@command()
@FLEET
@kafka_options
@config_option
def forget(fleet: str, **given: Any) -> None:
    """Remove the topics and consumer groups that a fleet of gateways created in Kafka, and no others.

    \b
    Example:
      chatbench forget --fleet chat --kafka-bootstrap 192.168.1.5:9092
    """
    from harness.core.settings import RunSettings
    from harness.serve.gateway import forget as remove

    remove(fleet, RunSettings(arch="", **given))
    click.echo(f"Kafka has no topics or groups of the fleet {fleet} left")
