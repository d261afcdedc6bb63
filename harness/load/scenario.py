"""A scenario: a locustfile whose users are members, with options of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import locust
from locust.env import Environment
from locust.util.load_locustfile import is_shape_class, is_user_class

from architectures.interface import Option
from harness.core.options import BadOption, choose_options
from harness.load.classes import kinds_of, rooms_for
from harness.load.member import Member
from harness.load.mistakes import at, class_mistakes, mistake_text
from harness.load.scenario_watch import import_time_limit


class BrokenScenario(Exception):
    """The locustfile cannot be used; the text tells the user why."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A locustfile that was loaded and checked."""

    path: Path
    members: list[type[Member]]
    shape: locust.LoadTestShape | None

    @property
    def options(self) -> dict[str, Option]:
        """The scenario's own options and their defaults."""
        return {name: default for member in self.members for name, default in member.options.items()}

    @property
    def option_ranges(self) -> dict[str, tuple[float, float]]:
        """The (lowest, highest) values allowed for options that are numbers, by name."""
        return {name: both for member in self.members for name, both in member.option_ranges.items()}

    def choose_options(self, given: Mapping[str, str]) -> dict[str, Option]:
        """Return the options with the given values, parsed, and defaults for the rest; raises BrokenScenario."""
        try:
            return choose_options(self.options, given, self.option_ranges)
        except BadOption as problem:
            raise BrokenScenario(f"the scenario {problem}") from problem

    def rooms_for(self, members: int) -> int:
        """Return the number of rooms for so many members in a run without --rooms. Raises BrokenScenario."""
        with self.reporting_mistakes():
            return rooms_for(self.members, members)

    @contextlib.contextmanager
    def reporting_mistakes(self) -> Iterator[None]:
        """Turn every exception of the locustfile's code, which runs inside, into a BrokenScenario."""
        try:
            yield
        except Exception as problem:
            raise BrokenScenario(mistake_text(problem, self.path)) from problem

    def choose_in(self, environment: Environment) -> None:
        """Use the scenario's members and shape for the next test; the environment must already have its runner."""
        environment.user_classes = list(self.members)
        environment.shape_class = self.shape
        if self.shape is not None:
            self.shape.runner = environment.runner


def load_scenario(path: Path) -> Scenario:
    """Import the locustfile and check its classes and options; raises BrokenScenario."""
    path = path.resolve()
    try:
        with import_time_limit():
            named = vars(_import(path))
            users = {name: each for name, each in named.items() if is_user_class(each)}
            shapes = [each() for each in named.values() if is_shape_class(each)]
    except (Exception, SystemExit) as problem:
        raise BrokenScenario(mistake_text(problem, path)) from problem
    members = [user for user in users.values() if issubclass(user, Member)]
    if len(members) != len(users) or not members:
        others = ", ".join(name for name, user in users.items() if not issubclass(user, Member))
        found = f"{others} is not a Member" if others else "it has no user class"
        raise BrokenScenario(f"the scenario {path} cannot be used: {found}; derive from chatbench.locust.Member")
    if len(shapes) > 1:
        names = ", ".join(type(shape).__name__ for shape in shapes)
        raise BrokenScenario(f"the scenario {path} cannot be used: it has several shapes, {names}; keep one of them")
    for member in members:
        for mistake in class_mistakes(member):
            line = inspect.getsourcelines(member)[1]
            raise BrokenScenario(f"the scenario {at(path, line)} cannot be used: {mistake}")
    scenario = Scenario(path, members, shapes[0] if shapes else None)
    _check_options(scenario)
    with scenario.reporting_mistakes():
        kinds_of(members)
    return scenario


def _check_options(scenario: Scenario) -> None:
    """Check that classes that share an option give it the same default."""
    for member in scenario.members:
        for name, default in member.options.items():
            if scenario.options[name] != default or type(scenario.options[name]) is not type(default):
                raise BrokenScenario(
                    f"the scenario {scenario.path} cannot be used: its option {name!r} is {default!r} in "
                    f"{member.__name__} and {scenario.options[name]!r} in another class; give both the same default"
                )


def _import(path: Path) -> ModuleType:
    """Import the file as a module. It may import modules of its folder whose names no installed package has.

    Locust's own loader is not used, because it puts the working directory and the file's folder before the standard
    library on sys.path, for the rest of the process.
    """
    name = f"scenario {path}"  # not importable, so that a scenario named redis.py does not replace the package redis
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_scenarios(paths: Sequence[str]) -> list[Scenario]:
    """Load several scenarios for one Locust process; raises BrokenScenario.

    Locust identifies classes by name, so a scenario is left out if an earlier one has a class with the same name.
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
