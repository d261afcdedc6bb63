"""`chatbench chat`: a page on which two members chat through an architecture."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from harness.cli.config_file import config_option
from harness.cli.console import run_progress
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    arch_options,
    external_options,
    shape_options,
)
from harness.cli.types import PORT


@command()
@ARCH
@shape_options
@arch_options
@external_options
@config_option
@click.option("--port", type=PORT, metavar="N", help="Port that the page is served on.  [default: a free port]")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in your browser.")
def chat(port: int | None, open_browser: bool, **given: Any) -> None:
    """Start services and gateways, and serve a page on which two members chat and each message's route is shown.

    \b
    Examples:
      chatbench chat --arch plan1
      chatbench chat --arch naive --open

    With `--arch naive` the page shows the fragmented rooms that the design note describes.
    """
    from harness.core.registry import load_architecture
    from harness.core.settings import RunSettings
    from harness.gateway.settings import Exposure
    from harness.serve.stack import stay_up

    def say(line: str) -> None:
        first = msgspec.json.decode(line)["gateways"][0].replace("ws://", "http://")
        click.echo(f"chat: {first}/chat\nPress Ctrl-C here to stop.")
        if open_browser:
            click.launch(f"{first}/chat")

    settings = RunSettings(**given)
    stay_up(settings, load_architecture(settings.arch), Exposure(), run_progress(), say, port=port)
