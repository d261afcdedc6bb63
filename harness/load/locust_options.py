"""The load as options of Locust's command line, which Locust also shows as fields of its web UI."""

from __future__ import annotations

import inspect
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from locust.argument_parser import LocustArgumentParser

from harness.core.payload import SPREADS
from harness.ipc import messages as msg
from harness.load.classes import rooms_for
from harness.load.member import Member


def add_load_options(parser: LocustArgumentParser) -> None:
    """Add the options that every scenario has."""
    parser.add_argument("--rate", type=float, default=20.0, help="messages per second from all members together")
    parser.add_argument("--rooms", type=int, default=0, help="number of rooms; 0: the scenario's own number")
    parser.add_argument("--payload", type=int, default=100, help="mean size of a message's text, in bytes")
    parser.add_argument(
        "--payload-sizes", choices=list(SPREADS), default="fixed", help="how sizes are spread around the mean"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the load's random choices")


def add_scenario_options(parser: LocustArgumentParser, scenarios: Iterable[type[Member]]) -> None:
    """Add the options that these scenarios define themselves."""
    options = {name: (scenario, default) for scenario in scenarios for name, default in scenario.options.items()}
    for name, (scenario, default) in options.items():
        owner = Path(inspect.getfile(scenario)).stem
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"option of {owner}")


def load_of(options: Namespace, members: int, classes: Sequence[type[Member]]) -> msg.Load:
    """Return the load that these options describe, for so many members of these classes. Raises ScenarioMistake."""
    return msg.Load(
        members=members,
        rooms=options.rooms or rooms_for(classes, members),
        rate_per_s=options.rate,
        payload_bytes=options.payload,
        payload_sizes=options.payload_sizes,
        seed=options.seed,
        options={name: getattr(options, name) for member in classes for name in member.options},
    )
