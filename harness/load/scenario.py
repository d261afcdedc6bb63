"""A scenario: a locustfile whose users are members, and what it lets its user choose."""

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
from harness.load.mistakes import at, class_mistakes, told
from harness.load.scenario_watch import not_for_ever


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

    @property
    def option_ranges(self) -> dict[str, tuple[float, float]]:
        """What those that are numbers must lie between."""
        return {name: both for member in self.members for name, both in member.option_ranges.items()}

    def choose_options(self, given: Mapping[str, str]) -> dict[str, Option]:
        """Its options with what was given for them; raises BrokenScenario."""
        try:
            return choose_options(self.options, given, self.option_ranges)
        except BadOption as problem:
            raise BrokenScenario(f"the scenario {problem}") from problem

    def rooms_for(self, members: int) -> int:
        """How many rooms so many members make, where the user does not say. Raises BrokenScenario."""
        with self.may_be_wrong():
            return rooms_for(self.members, members)

    @contextlib.contextmanager
    def may_be_wrong(self) -> Iterator[None]:
        """Inside it the locustfile's own code is asked something: raises BrokenScenario where that fails."""
        try:
            yield
        except Exception as problem:
            raise BrokenScenario(told(problem, self.path)) from problem

    def choose_in(self, environment: Environment) -> None:
        """Make its members and its shape those of the next test there; the runner must be there already."""
        environment.user_classes = list(self.members)
        environment.shape_class = self.shape
        if self.shape is not None:
            self.shape.runner = environment.runner


def load_scenario(path: Path) -> Scenario:
    """Raises BrokenScenario."""
    path = path.resolve()
    try:
        with not_for_ever():
            named = vars(_import(path))
            users = {name: each for name, each in named.items() if is_user_class(each)}
            shapes = [each() for each in named.values() if is_shape_class(each)]
    except (Exception, SystemExit) as problem:
        raise BrokenScenario(told(problem, path)) from problem
    members = [user for user in users.values() if issubclass(user, Member)]
    if len(members) != len(users) or not members:
        strangers = ", ".join(name for name, user in users.items() if not issubclass(user, Member))
        found = f"{strangers} is no Member" if strangers else "it has no user class"
        raise BrokenScenario(f"the scenario {path} cannot be used: {found}; derive from chatbench.locust.Member")
    if len(shapes) > 1:
        names = ", ".join(type(shape).__name__ for shape in shapes)
        raise BrokenScenario(f"the scenario {path} cannot be used: it has several shapes, {names}; leave one")
    for member in members:
        for mistake in class_mistakes(member):
            line = inspect.getsourcelines(member)[1]
            raise BrokenScenario(f"the scenario {at(path, line)} cannot be used: {mistake}")
    scenario = Scenario(path, members, shapes[0] if shapes else None)
    _check_options(scenario)
    with scenario.may_be_wrong():
        kinds_of(members)
    return scenario


def _check_options(scenario: Scenario) -> None:
    """Two classes may share an option, which then is the same of both."""
    for member in scenario.members:
        for name, default in member.options.items():
            if scenario.options[name] != default or type(scenario.options[name]) is not type(default):
                raise BrokenScenario(
                    f"the scenario {scenario.path} cannot be used: its option {name!r} is {default!r} in "
                    f"{member.__name__} and {scenario.options[name]!r} in another class; let it be the same"
                )


def _import(path: Path) -> ModuleType:
    """The module in that file; what lies beside it can be imported, unless something installed has that name.

    Locust's own loader puts the working directory and the file's folder before the standard library, for good.
    """
    name = f"scenario {path}"  # nobody imports that: a redis.py is a scenario, and not redis
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
