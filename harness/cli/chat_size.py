"""Options that `chatbench advise` and `chatbench simulate` share."""

from __future__ import annotations

import click

from harness.cli.types import FOLDER, SIZE

PAYLOAD = click.option(
    "--payload",
    "payload_bytes",
    type=SIZE,
    default=100,
    show_default=True,
    metavar="SIZE",
    help="Size of a message's text.",
)
COSTS = click.option(
    "--costs",
    type=FOLDER,
    metavar="DIR",
    help="Folder written by `chatbench costs`.  [default: measured runs that chatbench ships]",
)
