"""What a locustfile can get wrong, found where it happens and told with its line."""

from __future__ import annotations

import inspect
import linecache
import math
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from locust import User
from locust.env import Environment

from harness.core import protocol as wire
from harness.core.payload import SIZE_MAX_BYTES

NUMBERS = (int, float)
# What a locustfile may define of a member: each is called, and Locust waits for none of them as for a coroutine.
CALLED = ("on_start", "on_stop", "rooms_for", "rate_per_s", "activity", "read_bytes_per_s", "wait_time")


class ScenarioMistake(Exception):
    """The locustfile asks for something that cannot be; the text says what would be right."""

    def __init__(self, text: str, method: object = None) -> None:
        """`method` is what gave it, where that has returned: its line says more than that of who called it."""
        super().__init__(text)
        self.method = method


def told(problem: BaseException, scenario: str | Path) -> str:
    """The problem in one sentence, with the line of the locustfile that led to it."""
    frames = traceback.extract_tb(problem.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(scenario)), None)
    if isinstance(problem, SyntaxError) and problem.filename == str(scenario):
        line = problem.lineno
    if isinstance(problem, ScenarioMistake):
        code = getattr(problem.method, "__code__", None)
        line = code.co_firstlineno if code is not None and code.co_filename == str(scenario) else line
    what = problem.msg if isinstance(problem, SyntaxError) else str(problem)
    text = what if isinstance(problem, ScenarioMistake) else f"{type(problem).__name__}: {what}".removesuffix(": ")
    return f"the scenario {at(scenario, line)} failed: {' '.join(text.split())}"


def scenario_of(environment: Environment) -> str:
    """The file of the scenario that is on."""
    return inspect.getfile(environment.user_classes[0])


def at(scenario: str | Path, line: int | None) -> str:
    return str(scenario) if line is None else f"{scenario}, line {line},"


def standing_at(frame: FrameType | None, scenario: str | Path) -> str:
    """Where a greenlet that waits was called from in the locustfile, as ` (line 7: time.sleep(60))`."""
    while frame is not None and frame.f_code.co_filename != str(scenario):
        frame = frame.f_back
    if frame is None:
        return ""
    return f" (line {frame.f_lineno}: {linecache.getline(str(scenario), frame.f_lineno).strip()})"


def is_in(frame: FrameType | None, function: str, scenario: str | Path) -> bool:
    """Whether a greenlet that waits is inside that function of the locustfile."""
    while frame is not None:
        if frame.f_code.co_name == function and frame.f_code.co_filename == str(scenario):
            return True
        frame = frame.f_back
    return False


# --- what a member is told


def room_name(given: object) -> str:
    """A room that a gateway takes; raises ScenarioMistake."""
    if not isinstance(given, str) or not 1 <= len(given) <= wire.ROOM_CHARS_MAX:
        shown = f"{given[:20]!r}..., {len(given):,} characters" if isinstance(given, str) and given else repr(given)
        raise ScenarioMistake(
            f"a room's name is text of 1 to {wire.ROOM_CHARS_MAX} characters, as in self.join('stage'), and not {shown}"
        )
    _utf8(given)
    return given


def text_to_say(given: object) -> str:
    """What a gateway takes as a message; raises ScenarioMistake."""
    if not isinstance(given, str):
        raise ScenarioMistake(f"what is said is text, as in self.say('hello'), and not {given!r:.60}")
    size_bytes = len(_utf8(given))
    if size_bytes > SIZE_MAX_BYTES:
        raise ScenarioMistake(
            f"what is said has {size_bytes:,} bytes; a gateway is sure to take {SIZE_MAX_BYTES:,}, so say less at once"
        )
    return given


def _utf8(given: str) -> bytes:
    try:
        return given.encode()
    except UnicodeEncodeError as problem:
        raise ScenarioMistake(f"{given!r:.60} cannot be written as UTF-8; leave out what is no character") from problem


def number_from(given: object, what: str, method: object, least: float, most: float = math.inf) -> float:
    """What a method of the locustfile gave, if it is such a number; raises ScenarioMistake."""
    if isinstance(given, bool) or not isinstance(given, NUMBERS) or not least <= given <= most or math.isinf(given):
        upper = "or more" if most == math.inf else f"to {most:g}"
        raise ScenarioMistake(f"{what} gave {given!r:.60}, and it must give a number, {least:g} {upper}", method)
    return float(given)


# --- what its classes are


def class_mistakes(member: type[User]) -> Iterable[str]:
    """What is wrong with a class of members before any of them lives, each as a sentence that begins with its name."""
    name = member.__name__
    if not member.tasks:
        yield f"{name} has no task; give it a method with @task (who only listens waits there: time.sleep(1))"
    for task in member.tasks:
        if (kind := _not_plain(task)) is not None:
            called = getattr(task, "__name__", "task")
            yield f"{name}.{called} is {kind}, and Locust runs plain functions; write `def {called}(self)`"
    for called in CALLED:
        method = getattr(member, called, None)
        if not callable(method):
            yield f"{name}.{called} is {method!r:.60}, and it must be a method"
        elif (kind := _not_plain(method)) is not None:
            yield f"{name}.{called} is {kind}, and Locust runs plain functions; write `def {called}(self)`"
    if not isinstance(inspect.getattr_static(member, "rooms_for"), classmethod):
        yield f"{name}.rooms_for is asked of the class; write @classmethod above it"
    for given, what in ((member.weight, "weight"), (member.fixed_count, "fixed_count")):
        if isinstance(given, bool) or not isinstance(given, NUMBERS) or not 0 <= given < math.inf:
            yield f"{name}.{what} is {given!r:.60}, and it must be a number, 0 or more"
    kinds = getattr(member, "kinds", None)
    if not isinstance(kinds, tuple) or not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
        yield f"{name}.kinds is {kinds!r:.60}, and it must be names in a tuple, as in ('chat', 'reaction')"
    yield from _option_mistakes(name, getattr(member, "options", None))


def _option_mistakes(name: str, options: object) -> Iterable[str]:
    if not isinstance(options, dict):
        yield f"{name}.options is {options!r:.60}, and it must be names with what they are unless --set says otherwise"
        return
    for option, default in options.items():
        if not isinstance(option, str) or not option.isidentifier():
            yield f"{name}.options has the name {option!r:.60}, and names are like stay_s"
        elif isinstance(default, bool) or not isinstance(default, (*NUMBERS, str)):
            yield f"{name}.options[{option!r}] is {default!r:.60}, and it must be a number or text"


def _not_plain(function: object) -> str | None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "async"
    return "a generator" if inspect.isgeneratorfunction(function) else None
