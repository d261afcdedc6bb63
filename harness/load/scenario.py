"""A scenario: a locustfile whose users are members, and what it lets its user choose."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import locust
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from harness.errors import where
from harness.load.member import Member, Option


class BrokenScenario(Exception):
    """The locustfile cannot be used as asked; the text says why, for the user."""


@dataclass(frozen=True, slots=True)
class Scenario:
    path: Path
    members: list[type[Member]]
    shape: locust.LoadTestShape | None

    @property
    def options(self) -> dict[str, Option]:
        """The scenario's own options and their defaults."""
        return {name: default for member in self.members for name, default in member.options.items()}

    def choose_in(self, environment: Environment) -> None:
        """Make its members and its shape those of the next test there; the runner must be there already."""
        environment.user_classes = list(self.members)
        environment.shape_class = self.shape
        if self.shape is not None:
            self.shape.runner = environment.runner


def load_scenario(path: Path) -> Scenario:
    """Raises BrokenScenario."""
    try:
        users, shapes = load_locustfile(str(path))
    except (Exception, SystemExit) as problem:
        raise BrokenScenario(f"the scenario {path} cannot be loaded: {where(problem)}") from problem
    members = [user for user in users.values() if issubclass(user, Member)]
    if len(members) != len(users) or not members:
        strangers = ", ".join(name for name, user in users.items() if not issubclass(user, Member))
        found = f"{strangers} is no Member" if strangers else "it has no user class"
        raise BrokenScenario(f"the scenario {path} cannot be used: {found}; derive from harness.load.member.Member")
    return Scenario(path, members, shapes[0] if shapes else None)


def load_scenarios(paths: Sequence[str]) -> list[Scenario]:
    """Several for one Locust process, which tells classes by their names: one with a name that is taken is left out.

    Raises BrokenScenario.
    """
    scenarios: list[Scenario] = []
    taken: set[str] = set()
    for path in paths:
        scenario = load_scenario(Path(path))
        names = {member.__name__ for member in scenario.members}
        if not names & taken:
            scenarios.append(scenario)
            taken |= names
    return scenarios


def chosen_options(defaults: Mapping[str, Option], given: Mapping[str, str]) -> dict[str, Option]:
    """The options with what was given for them; raises BrokenScenario for one that is not there or no number."""
    chosen = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            raise BrokenScenario(f"the scenario has no option {name!r}; {_known(name, list(defaults))}")
        try:
            chosen[name] = type(defaults[name])(value)
        except ValueError as problem:
            raise BrokenScenario(f"the scenario's option {name} is {value!r}, but it must be a number") from problem
    return chosen


def _known(name: str, names: Sequence[str]) -> str:
    if not names:
        return "it has none of its own"
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(names)}"
