"""A mistake in a locustfile is detected at once, and reported in one sentence with its file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.real.runs import chatbench, run

HEAD = """\
import time
from locust import TaskSet, User, constant, task
from chatbench.locust import Member, Shape

class Talker(Member):
"""
JOIN = """\
    def on_start(self):
        self.join("stage")
"""
TALK = """\
    @task
    def talk(self):
        self.say(self.text())
"""
FINE = HEAD + JOIN + TALK


def doing(task: str) -> str:
    """Return a scenario whose member joins and has this task."""
    return FINE.replace("self.say(self.text())", task)


def with_method(method: str) -> str:
    return FINE + "".join(f"    {line}\n" for line in method.splitlines())


MISTAKES = {
    "does not parse": ("class Talker(\n", r"line 1, failed: SyntaxError: '\(' was never closed"),
    "imports what is not there": ("import nothing_there\n", "line 1, failed: ModuleNotFoundError: No module named"),
    "has no user class": ("x = 1\n", "cannot be used: it has no user class; derive from chatbench.locust.Member"),
    "has a user that is no member": (FINE + "class Other(User):\n" + TALK, "Other is not a Member; derive from"),
    "has no task": (HEAD + JOIN, "line 5, cannot be used: Talker has no task; give it a method with @task"),
    "has an async task": (
        FINE.replace("def talk", "async def talk"),
        r"Talker.talk is async, .* write `def talk\(self\)`",
    ),
    "has a wait_time that is a number": (
        HEAD + "    wait_time = 5\n" + JOIN + TALK,
        "Talker.wait_time is 5, but it must",
    ),
    "has an option that is None": (
        HEAD + "    options = {'stay_s': None}\n" + JOIN + TALK,
        r"Talker.options\['stay_s'\] is None, but it must be a number or text",
    ),
    "asks an instance for rooms": (
        with_method("def rooms_for(self, members):\n    return 1"),
        "write @classmethod above",
    ),
    "makes no room": (
        with_method("@classmethod\ndef rooms_for(cls, members):\n    return 0"),
        r"line 11, failed: Talker.rooms_for\(8\) returned 0, but it must return a whole number from 1 to 8",
    ),
    "makes fewer members than asked": (
        HEAD + "    fixed_count = 3\n" + JOIN + TALK,
        "its classes make up only 3 of 8 members, by their fixed_count and weight",
    ),
    "cannot make a member": (
        with_method("def __init__(self, environment):\n    super().__init__(environment)\n    self.share = 1 / 0"),
        "line 13, failed: ZeroDivisionError",
    ),
    "fails in on_start": (
        FINE.replace('self.join("stage")', "raise RuntimeError('no luck')"),
        "line 7, failed: RuntimeError: no luck",
    ),
    "joins a number": (
        FINE.replace('"stage"', "5"),
        "line 7, failed: a room's name is text of 1 to 200 characters, .* not 5",
    ),
    "joins a room with too long a name": (FINE.replace('"stage"', "201 * 'x'"), "line 7, failed: .* 201 characters"),
    "joins no room": (
        HEAD + TALK.replace("self.say(self.text())", "time.sleep(0.5)"),
        r"Talker has joined no room 5 s after its start \(line 8: time.sleep\(0.5\)\)",
    ),
    "speaks before it joins": (
        HEAD + TALK,
        "line 8, failed: Talker called self.say before it joined a room; call self.join first",
    ),
    "says bytes": (
        doing("self.say(b'x')"),
        r"line 10, failed: a message is text, as in self.say\('hello'\), and not b'x'",
    ),
    "says too much": (doing("self.say(100_000 * 'x')"), "line 10, failed: a message has 100,000 bytes"),
    "speaks in another room": (
        doing("self.say('x', 'other')"),
        "line 10, failed: Talker is not in room 'other'; it has joined 'stage'",
    ),
    "says an unknown kind": (
        doing("self.say('x', kind='shout')"),
        "line 10, failed: Talker has no kind of message called 'shout'",
    ),
    "asks for an unknown option": (
        doing("self.say(self.option('word'))"),
        "line 10, failed: the scenario has no option 'word'",
    ),
    "has a task that does nothing": (
        doing("pass"),
        "line 8, keeps a core busy without doing anything: the tasks of Talker end",
    ),
    "has a task that says nothing": (
        doing("time.sleep(0.1)"),
        "sends no messages: none of its tasks has called self.say",
    ),
    "never lets others on": (
        doing("while True: pass"),
        "line 10, failed: a member has computed for 3 s without waiting",
    ),
    "ends the process": (doing("raise SystemExit(3)"), "line 10, failed: SystemExit: 3"),
    "gives no rate": (
        with_method("def rate_per_s(self):\n    return '5'"),
        r"line 11, failed: Talker.rate_per_s\(\) returned '5', but it must return a number, 0 or more",
    ),
    "has nobody who speaks": (
        with_method("def rate_per_s(self):\n    return 0"),
        r"sends no messages: rate_per_s\(\) returns 0 for each of its 8",
    ),
    "is more than active": (
        with_method("def activity(self, elapsed_s):\n    return 2"),
        r"line 11, failed: Talker.activity\(\) returned 2, .* 0 to 1",
    ),
    "reads at no speed": (
        with_method("def read_bytes_per_s(self):\n    return 'slow'"),
        r"line 11, failed: Talker.read_bytes_per_s\(\) returned 'slow'",
    ),
    "has a shape that is none": (
        FINE + "class Curve(Shape):\n    def tick(self):\n        return 'many'\n",
        r"the error came from its shape's tick\(\)",
    ),
}


# Others are only seen when the load has begun, and then there is a record of it.
LEAVES_NO_RECORD = (
    *("does not parse", "imports what is not there", "has no user class", "has a user that is no member"),
    *("has no task", "says bytes"),
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(mistake: str, tmp_path: Path) -> None:
    text, says = MISTAKES[mistake]
    scenario = tmp_path / "mine.py"
    scenario.write_text(text)
    load = ["--members", "8", "--rate", "40", "--warmup", "0s", "--duration", "2s"]
    out = tmp_path / "out"
    answer = chatbench("run", "--arch", "direct", "--scenario", str(scenario), *load, "--out", str(out))
    error = answer.stderr.strip().splitlines()[-1]
    assert answer.returncode == 2, answer.stderr
    assert error.startswith(f"chatbench: the scenario {scenario}"), error
    assert re.search(says, error), error
    assert "Traceback" not in answer.stderr
    if mistake in LEAVES_NO_RECORD:
        assert not list(out.iterdir())


NO_MISTAKES = {
    "begins to speak after the warm-up": FINE.replace(
        "self.say(self.text())",
        "self.say(self.text()) if self.phase_name == 'measure' else time.sleep(0.1)",
    ),
    # Locust makes all members at once, and gevent starts them 50 at a time. The last ones therefore exist for longer
    # than JOIN_SOON_S before they run for the first time.
    "has members that wait for each other to start": "import harness.load.scenario_watch as watch\n"
    "watch.JOIN_SOON_S = 0.6\n"
    + FINE.replace(
        'self.join("stage")',
        "ready_s = time.process_time() + 0.02\n"
        "        while time.process_time() < ready_s:\n"
        "            pass\n"
        '        self.join("stage")',
    ),
}


@pytest.mark.parametrize("scenario", NO_MISTAKES)
def test_a_scenario_without_a_mistake_runs(scenario: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(NO_MISTAKES[scenario])
    summary = run(tmp_path / "out", "--arch", "direct", "--scenario", str(file), "--members", "150", "--rate", "10")
    assert summary["status"] == "complete"
    assert summary["sent"] > 0
