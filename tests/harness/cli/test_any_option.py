"""Any values for any command: the command either starts or says in one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.main import main
from harness.core.errors import ExitCode

EXAMPLES = 60
# Where a command leaves this process: it writes, contacts somebody, starts something, or examines the machine.
EDGES = (
    *(
        "harness.core.settings.make_out_dir",
        "harness.experiments.costs.study.read_knowledge",
        "harness.cli.machine_check.examine",
    ),
    *(f"harness.services.external.{name}" for name in ("_ping", "_ask_nats", "_brokers")),
    "harness.services.remote._about",
    "harness.serve.gateway.collect_seldom",
    *(f"harness.serve.{name}.make_logs_folder" for name in ("web_ui", "stack", "worker")),
)


class Began(BaseException):
    """An edge was reached. Not an Exception, so that no handler on the way takes it for a failure."""


def begin(*_arguments: object, **_more: object) -> NoReturn:
    raise Began


@pytest.fixture(autouse=True, scope="module")
def _nothing_begins() -> Any:
    with pytest.MonkeyPatch.context() as patched:
        for edge in EDGES:
            patched.setattr(edge, begin)
        for name in os.environ:
            if name.startswith("CHATBENCH_"):
                patched.delenv(name)
        yield


NASTY = (
    *("", " ", "0", "-1", "1.5", "1e400", "1e308", "nan", "inf", "9" * 30, "9" * 5000, "1e-400", "0x10", "1_0"),
    *("\u0661", "é", "[/]", "[red]", "$5", "%s", "{0}", "\\", "\n", "\udcff", "x" * 300, "-", "--", ",", "="),
    *("a=", "=b", "a=b=c", ":", "h:", ":1", "h:0", "h:99999", "h:abc", "[::1", "[::1]:1", "h:1,h:2", "a@b:1"),
    *("ü" * 80 + ":1", "//", "ws://", "redis://h?x=1", "redis+cluster://", "redis+sentinel://h", "nats://"),
    *("nats://u:p@h", "ws://h:99999", "http://h/p", "/", "/nope", "/dev/null", ".", "..", "a/b.py", "kill:"),
    *("kill:broker@", "pause:redis:1e400s@1s", "@", "1h", "1e9h"),
)
# What is right for some option or other, so that a command is not always stopped by the first.
RIGHT = (
    *("plan1", "plan2", "redis", "redis-sharded", "kafka-redis", "nats", "direct", "faulty", "socketio"),
    *("big_room", "zipf_rooms", "churn", "lognormal", "stay_s=0", "exponent=1.2", "exponent=nan", "keep=1e400"),
    *("1", "2", "3", "10", "100", "1k", "4KiB", "10s", "20ms", "adaptive", "127.0.0.1:9", "127.0.0.1", "bash"),
    *("redis://127.0.0.1:9", "nats://127.0.0.1:9", "ws://127.0.0.1:9", "https://chat.example", "chat", "C1"),
    *("pause:redis:1s@1s", "kill:gateway", "acks=1"),
)
USUAL = {"arch": ("plan1", "redis", "direct", "nats"), "rooms": ("1", "10"), "rate_per_s": ("20",)}


def words_of(command: click.Command) -> st.SearchStrategy[list[str]]:
    """A command line: of each option nothing, something right or something nasty."""

    def told(parameter: click.Parameter) -> st.SearchStrategy[list[str]]:
        anything = st.sampled_from(USUAL.get(parameter.name or "", RIGHT)) | st.sampled_from((*RIGHT, *NASTY))
        if isinstance(parameter, click.Argument):
            return anything.map(lambda value: [value])
        name = max(parameter.opts, key=len)
        if isinstance(parameter, click.Option) and parameter.is_flag:
            return st.sampled_from([[], [name]])
        given = anything.map(lambda value: [name, value])
        if parameter.required:
            return given
        return st.just([]) | st.just([]) | st.just([]) | given

    parameters = [each for each in command.params if each.name != "config"]  # see test_option_file.py
    return st.tuples(*map(told, parameters)).map(lambda parts: [word for part in parts for word in part])


def ends_well(words: list[str]) -> None:
    try:
        answer = CliRunner().invoke(main, words)
    except Began:
        return
    assert isinstance(answer.exception, SystemExit | None), words
    assert answer.exit_code in {ExitCode.OK, ExitCode.USAGE}, (words, answer.output)
    if answer.exit_code == ExitCode.USAGE:
        (sentence,) = answer.stderr.splitlines()
        assert sentence.startswith("chatbench: "), (words, sentence)
        assert len(sentence) > len("chatbench: "), words


def any_option_of(command: click.Command) -> Callable[[], None]:
    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
    @given(words=words_of(command))
    def run(words: list[str]) -> None:
        ends_well([command.name or "", *words])

    return run


@pytest.mark.parametrize("name", main.commands)
def test_a_command_begins_or_says_in_one_sentence_why_not(name: str) -> None:
    any_option_of(main.commands[name])()
