"""`chatbench ui`: Locust's web UI, with services that stay up between tests."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.console import run_progress
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    RATE,
    arch_options,
    endless_load_options,
    external_options,
    host_options,
    shape_options,
)
from harness.cli.types import PORT


@command()
@ARCH
@shape_options
@arch_options
@RATE
@external_options
@endless_load_options
@host_options
@click.option("--port", type=PORT, default=8089, show_default=True, metavar="N", help="Port of the web UI.")
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address that the web UI listens on. The web UI has no authentication: bind it to another address only on a "
    "private network.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Origin at which browsers and Prometheus may reach the web UI, in addition to this host's addresses, such as "
    "https://bench.example.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the web UI in your browser.")
def ui(port: int, bind: str, origins: tuple[str, ...], open_browser: bool, **given: Any) -> None:
    """Start services and gateways, and Locust's web UI to run tests in; each test gets its own record.

    \b
    Examples:
      chatbench ui --arch plan2
      chatbench ui --arch redis --scenario spike --rate 200 --open

    The options set the initial values of the fields. A test lasts until it is stopped in the web UI.
    """
    from harness.core.registry import load_candidate
    from harness.core.settings import RunSettings
    from harness.serve.web_ui import serve_ui

    def say(text: str) -> None:
        click.echo(text)
        if open_browser and text.startswith("web UI: "):
            click.launch(text.split()[2])

    settings = RunSettings(**given)
    with run_progress() as progress:
        serve_ui(settings, load_candidate(settings.arch), (bind, port), progress, say, origins=origins)
