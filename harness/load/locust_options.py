"""The load as options of Locust: of its command line, and so fields of its web UI."""

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
    """What every scenario takes."""
    parser.add_argument("--rate", type=float, default=20.0, help="messages per second of all members together")
    parser.add_argument("--rooms", type=int, default=0, help="rooms; 0: the scenario's own number")
    parser.add_argument("--payload", type=int, default=100, help="mean bytes of a message's text")
    parser.add_argument("--payload-sizes", choices=list(SPREADS), default="fixed", help="how sizes spread around it")
    parser.add_argument("--seed", type=int, default=1, help="of the load's random choices")


def add_scenario_options(parser: LocustArgumentParser, scenarios: Iterable[type[Member]]) -> None:
    """What these take of their own."""
    options = {name: (scenario, default) for scenario in scenarios for name, default in scenario.options.items()}
    for name, (scenario, default) in options.items():
        whose = Path(inspect.getfile(scenario)).stem
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"of {whose}")


def load_of(options: Namespace, members: int, classes: Sequence[type[Member]]) -> msg.Load:
    """What those options ask of so many members of these classes. Raises ScenarioMistake."""
    return msg.Load(
        members=members,
        rooms=options.rooms or rooms_for(classes, members),
        rate_per_s=options.rate,
        payload_bytes=options.payload,
        payload_sizes=options.payload_sizes,
        seed=options.seed,
        options={name: getattr(options, name) for member in classes for name in member.options},
    )
