"""The mistakes that a locustfile can contain: how each is detected, and the sentence that reports it with its line."""

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
# The methods that a locustfile may define: chatbench or Locust calls them as plain functions and awaits none of them.
CALLED = ("on_start", "on_stop", "rooms_for", "rate_per_s", "activity", "read_bytes_per_s", "wait_time")


class ScenarioMistake(Exception):
    """The locustfile contains a mistake; the text says how to fix it."""

    def __init__(self, text: str, method: object = None) -> None:
        """`method` returned the wrong value, so that its line is reported and not that of its caller."""
        super().__init__(text)
        self.method = method


def mistake_text(problem: BaseException, scenario: str | Path) -> str:
    """Return the problem as one sentence, with the line of the locustfile that led to it."""
    frames = traceback.extract_tb(problem.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(scenario)), None)
    if isinstance(problem, SyntaxError) and problem.filename == str(scenario):
        line = problem.lineno
    if isinstance(problem, ScenarioMistake):
        code = getattr(problem.method, "__code__", None)
        line = code.co_firstlineno if code is not None and code.co_filename == str(scenario) else line
    text = problem.msg if isinstance(problem, SyntaxError) else str(problem)
    if not isinstance(problem, ScenarioMistake):
        text = f"{type(problem).__name__}: {text}".removesuffix(": ")
    return f"the scenario {at(scenario, line)} failed: {' '.join(text.split())}"


def scenario_of(environment: Environment) -> str:
    """Return the path of the scenario that this environment runs."""
    return inspect.getfile(environment.user_classes[0])


def at(scenario: str | Path, line: int | None) -> str:
    return str(scenario) if line is None else f"{scenario}, line {line},"


def waits_at(frame: FrameType | None, scenario: str | Path) -> str:
    """Return the line of the locustfile at which a greenlet waits, as ` (line 7: time.sleep(60))`, or ''."""
    while frame is not None and frame.f_code.co_filename != str(scenario):
        frame = frame.f_back
    if frame is None:
        return ""
    return f" (line {frame.f_lineno}: {linecache.getline(str(scenario), frame.f_lineno).strip()})"


def is_in(frame: FrameType | None, function: str, scenario: str | Path) -> bool:
    """Return whether a waiting greenlet is inside that function of the locustfile."""
    while frame is not None:
        if frame.f_code.co_name == function and frame.f_code.co_filename == str(scenario):
            return True
        frame = frame.f_back
    return False


# --- arguments and return values


def room_name(value: object) -> str:
    """Return the value if it is a valid room name; raises ScenarioMistake."""
    if not isinstance(value, str) or not 1 <= len(value) <= wire.ROOM_CHARS_MAX:
        shown = f"{value[:20]!r}..., {len(value):,} characters" if isinstance(value, str) and value else repr(value)
        raise ScenarioMistake(
            f"a room's name is text of 1 to {wire.ROOM_CHARS_MAX} characters, as in self.join('stage'), and not {shown}"
        )
    _utf8(value)
    return value


def text_to_say(value: object) -> str:
    """Return the value if every gateway accepts it as a message; raises ScenarioMistake."""
    if not isinstance(value, str):
        raise ScenarioMistake(f"a message is text, as in self.say('hello'), and not {value!r:.60}")
    size_bytes = len(_utf8(value))
    if size_bytes > SIZE_MAX_BYTES:
        raise ScenarioMistake(
            f"a message has {size_bytes:,} bytes, but gateways are only sure to accept {SIZE_MAX_BYTES:,}; "
            "say less at once"
        )
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        raise ScenarioMistake(f"{text!r:.60} cannot be encoded as UTF-8; leave out the lone surrogates") from problem


def number_from(value: object, source: str, method: object, least: float, most: float = math.inf) -> float:
    """Return the value that a method of the locustfile returned, if it is in the range; raises ScenarioMistake.

    `source` is the call, for the error's text.
    """
    if isinstance(value, bool) or not isinstance(value, NUMBERS) or not least <= value <= most or math.isinf(value):
        upper = "or more" if most == math.inf else f"to {most:g}"
        raise ScenarioMistake(
            f"{source} returned {value!r:.60}, but it must return a number, {least:g} {upper}", method
        )
    return float(value)


# --- classes


def class_mistakes(member: type[User]) -> Iterable[str]:
    """Yield what is wrong with the definition of a class, each as a sentence that begins with the class's name."""
    name = member.__name__
    if not member.tasks:
        yield f"{name} has no task; give it a method with @task (a member that only listens can time.sleep(1) there)"
    for task in member.tasks:
        if (kind := _not_plain(task)) is not None:
            called = getattr(task, "__name__", "task")
            yield f"{name}.{called} is {kind}, but Locust runs plain functions; write `def {called}(self)`"
    for called in CALLED:
        method = getattr(member, called, None)
        if not callable(method):
            yield f"{name}.{called} is {method!r:.60}, but it must be a method"
        elif (kind := _not_plain(method)) is not None:
            yield f"{name}.{called} is {kind}, but Locust runs plain functions; write `def {called}(self)`"
    if not isinstance(inspect.getattr_static(member, "rooms_for"), classmethod):
        yield f"{name}.rooms_for is called on the class; write @classmethod above it"
    for value, attribute in ((member.weight, "weight"), (member.fixed_count, "fixed_count")):
        if isinstance(value, bool) or not isinstance(value, NUMBERS) or not 0 <= value < math.inf:
            yield f"{name}.{attribute} is {value!r:.60}, but it must be a number, 0 or more"
    kinds = getattr(member, "kinds", None)
    if not isinstance(kinds, tuple) or not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
        yield f"{name}.kinds is {kinds!r:.60}, but it must be a tuple of names, as in ('chat', 'reaction')"
    yield from _option_mistakes(name, getattr(member, "options", None))


def _option_mistakes(name: str, options: object) -> Iterable[str]:
    if not isinstance(options, dict):
        yield f"{name}.options is {options!r:.60}, but it must be a dict of defaults, as in {{'stay_s': 10.0}}"
        return
    for option, default in options.items():
        if not isinstance(option, str) or not option.isidentifier():
            yield f"{name}.options has the name {option!r:.60}, but a name must be an identifier, as in stay_s"
        elif isinstance(default, bool) or not isinstance(default, (*NUMBERS, str)):
            yield f"{name}.options[{option!r}] is {default!r:.60}, but it must be a number or text"


def _not_plain(function: object) -> str | None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "async"
    return "a generator" if inspect.isgeneratorfunction(function) else None
