"""`chatbench up`, `chatbench ui` and `chatbench chat`: gateways that stay."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from harness.cli.config_file import config_option
from harness.cli.console import run_progress
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    ARCH_SET,
    DEDUP,
    RATE,
    endless_load_options,
    external_options,
    host_options,
    shape_options,
)
from harness.cli.types import PORT


@command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where gateways listen.")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="Pages that may connect, beside this host's.")
@external_options
@config_option
def up(bind: str, origins: tuple[str, ...], **given: Any) -> None:
    """Start services and gateways, print the gateways' addresses as JSON, and stay until interrupted.

    With CHATBENCH_TOKEN set, gateways serve only who shows it (`Authorization: Bearer ...`, or `?token=...`), as
    members of a scenario do where it is set as well. It is needed where others can reach them.

    Meanwhile `chatbench run` takes these services instead of starting its own, if they are what it needs: one run at a
    time, and none with faults.

    \b
    Examples:
      chatbench up --arch plan1
      CHATBENCH_TOKEN=$(openssl rand -hex 16) chatbench up --arch plan1 --bind 192.168.1.20
      locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002
    """
    from harness.core.registry import load_architecture  # noqa: PLC0415
    from harness.core.settings import RunSettings  # noqa: PLC0415
    from harness.serve.stack import exposure_of, stay_up  # noqa: PLC0415

    settings = RunSettings(**given)
    stay_up(
        settings, load_architecture(settings.arch), exposure_of("--bind", bind, origins), run_progress(), click.echo
    )


@command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@external_options
@config_option
@click.option("--port", type=PORT, metavar="N", help="Of the page.  [default: a free one]")
@click.option("--open", "open_browser", is_flag=True, help="Open it in your browser.")
def chat(port: int | None, open_browser: bool, **given: Any) -> None:
    """Start services and gateways, and chat: a page with two members at two gateways, and the way of each message.

    \b
    Examples:
      chatbench chat --arch plan1
      chatbench chat --arch naive --open

    With naive one sees the fragments of the design note with one's own eyes.
    """
    from harness.core.registry import load_architecture  # noqa: PLC0415
    from harness.core.settings import RunSettings  # noqa: PLC0415 - see comparing.py
    from harness.gateway.settings import Exposure  # noqa: PLC0415
    from harness.serve.stack import stay_up  # noqa: PLC0415

    def say(line: str) -> None:
        first = msgspec.json.decode(line)["gateways"][0].replace("ws://", "http://")
        click.echo(f"chat: {first}/chat\nCtrl-C ends it here.")
        if open_browser:
            click.launch(f"{first}/chat")

    settings = RunSettings(**given)
    stay_up(settings, load_architecture(settings.arch), Exposure(), run_progress(), say, port=port)


@command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@RATE
@external_options
@endless_load_options
@host_options
@click.option("--port", type=PORT, default=8089, show_default=True, metavar="N", help="Of the web UI.")
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where the web UI listens. It asks nobody who he is: elsewhere than here only in a network of your own.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="By which browsers and Prometheus may call it, beside this host's addresses, as in https://bench.example.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open it in your browser.")
def ui(port: int, bind: str, origins: tuple[str, ...], open_browser: bool, **given: Any) -> None:
    """Start services and gateways, and Locust's web UI to run tests in, each with a record of its own.

    \b
    Examples:
      chatbench ui --arch plan2
      chatbench ui --arch redis --scenario spike --rate 200 --open

    What is given here are the fields' first values. A test lasts until it is stopped there.
    """
    from harness.core.registry import load_contender  # noqa: PLC0415
    from harness.core.settings import RunSettings  # noqa: PLC0415 - see comparing.py
    from harness.serve.web_ui import serve_ui  # noqa: PLC0415

    def say(text: str) -> None:
        click.echo(text)
        if open_browser and text.startswith("web UI: "):
            click.launch(text.split()[2])

    settings = RunSettings(**given)
    with run_progress() as progress:
        serve_ui(settings, load_contender(settings.arch), (bind, port), progress, say, origins=origins)
