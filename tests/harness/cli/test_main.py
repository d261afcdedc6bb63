"""The command line without services: help, lists, and refused input."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cli.listing import Listing
from harness.cli.machine_check import MachineCheck
from harness.cli.main import main
from harness.core.registry import architecture_names, peer_names, scenario_files
from harness.experiments.costs.advice import Advice
from harness.experiments.simulation.study import Simulation
from harness.report.claims import Judged
from harness.report.comparison import Report
from harness.report.costs import UnitCosts
from tests.command_line import command, refusal
from tools.docs.quotes import REFERENCE

CHATBENCH = [sys.executable, "-m", "harness.cli"]


def chatbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CHATBENCH, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [[], ["run"], ["compare"], ["report"], ["up"], ["completion"]])
def test_help_shows_examples(name: list[str]) -> None:
    answer = command(*name, "--help")
    assert answer.exit_code == 0
    assert "Example" in answer.output
    assert "chatbench" in answer.output


def test_list_names_architectures_and_scenarios() -> None:
    answer = command("list")
    assert answer.exit_code == 0
    for name in ("plan1", "naive", "direct", "big_room", "many_rooms"):
        assert name in answer.stdout


NARROW, USUAL = 40, 80
STUDIES = {  # each takes seconds, so in the narrow window alone
    "report": ["report", str(REFERENCE / "reconnect_storm"), "--out"],
    "claims": ["claims", "--from", str(REFERENCE / "claims"), "--out"],
    "costs": ["costs", "--from", str(REFERENCE / "costs"), "--out"],
}
QUICK = (["list"], ["doctor"], ["advise", "--rooms", "1k", "--members-per-room", "200", "--rate", "2k"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "columns"),
    [*itertools.product(QUICK, (NARROW, USUAL)), *((study, NARROW) for study in STUDIES.values())],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_no_table_is_wider_than_the_window_and_no_name_in_it_is_cut(
    arguments: list[str], columns: int, tmp_path: Path
) -> None:
    where = [str(tmp_path / "out")] if arguments[-1] == "--out" else []
    answered = command(*arguments, *where, columns=columns)
    assert answered.exit_code == 0, answered.stderr
    answer = answered.stdout
    assert "\N{HORIZONTAL ELLIPSIS}" not in answer
    paths = ("report: ", "frames: ", "records: ", "page: ", "unit costs: ")  # in one line each, for people to copy
    assert all(len(line) <= columns for line in answer.splitlines() if not line.startswith(paths))
    names = {
        "list": [*architecture_names(), *peer_names(), *scenario_files()],
        "doctor": ["Python", "peer python-socketio", "children die with chatbench"],
        "advise": ["plan2", "kafka-redis", "kafka-broadcast", "redis"],
        "report": ["plan2", "kafka-broadcast", "redis-streams"],
        "claims": [f"C{number}" for number in range(1, 10)],
        "costs": ["gateway CPU", "overhead of Redis's copies"],
    }[arguments[0]]
    begins = [line.split("  ")[0].rstrip() for line in answer.splitlines()]
    assert set(names) <= set(begins)


def test_doctor_looks_at_everything_a_run_needs() -> None:
    answer = command("doctor")
    assert answer.exit_code == 0
    services = ("Java", "Kafka 4.4.0", "Redis", "OpenTelemetry")
    for what in ("Python", *services, "open files", "free memory", "disk", "CPU cores"):
        assert what in answer.stdout


def test_doctor_says_what_would_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path))
    said = command("doctor", columns=300).stdout  # where no path is folded
    assert f"would be downloaded, about 48 MiB, to {tmp_path}" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "--arch"),
        (["run", "--arch", "plan1x"], "did you mean 'plan1'"),
        (["run", "--arch", "plan1", "--rate", "-1"], "--rate is -1"),
        (["run", "--arch", "plan1", "--rate", "many"], "--rate"),
        (
            ["run", "--arch", "plan1", "--members", "10000000"],
            "is 10,000,000, but it must be between 2 and 100,000",
        ),
        (["run", "--arch", "plan1", "--duration", "soon"], "write it like 30s"),
        (["run", "--arch", "plan1", "--scenario", "bigroom"], "did you mean 'big_room'"),
        (["run", "--arch", "plan1", "--scenario", "gone.py"], "no scenario file"),
        (["run", "--arch", "plan1", "--out", "/dev/null/x"], "cannot be written"),
        (["run", "--arch", "plan1", "--gateways", "3", "--partitions", "2"], "use --partitions 3"),
        (["run", "--arch", "direct", "--gateways", "2"], "use --gateways 1"),
        (["run", "--arch", "redis", "--partitions", "2"], "uses no Kafka; leave it out"),
        (["run", "--arch", "naive", "--dedup"], "has no option 'dedup'"),
        (["run", "--arch", "direct", "--brokers", "3"], "direct uses no Kafka"),
        (["run", "--arch", "plan1", "--members", "1e500"], "--members: '1e500' is not a number"),
        (["run", "--arch", "plan1", "--payload", "1e400"], "--payload: '1e400' is not a size"),
        (["run", "--arch", "plan1", "--tick", "1h"], "--tick is 1h, but it must be between 0s and 1s"),
        (["run", "--arch", "plan1", "--seed", "1" * 30], "--seed is 1.11e+29, but it must be between 0 and"),
        (
            ["run", "--arch", "plan1", "--scenario", "zipf_rooms", "--set", "exponent=nan"],
            "must be a number, not 'nan'",
        ),
        (
            ["run", "--arch", "plan1", "--scenario", "zipf_rooms", "--set", "exponent=-400"],
            "between 0 and 10, not -400",
        ),
        (["run", "--arch", "plan1", "--scenario", "zipf_rooms", "--set", "exponet=1"], "did you mean 'exponent'"),
        (["simulate", "--rooms", "5", "--rate", "1"], "--members-per-room is missing"),
        (
            ["simulate", "--rooms", "5", "--rate", "1", "--members-per-room", "5", "--day", "--curve", __file__],
            "use one of them",
        ),
        (["advise", "--rooms", "1e999", "--members-per-room", "2", "--rate", "1"], "--rooms: '1e999' is not a number"),
        (["ui", "--arch", "plan1", "--port", "99999"], "--port is 99999, but it must be between 1 and 65535"),
        (["ui", "--arch", "plan1", "--bind", "192.0.2.1"], "192.0.2.1 is no address of this host"),
        (["chat", "--arch", "plan1", "--port", "0"], "--port is 0, but it must be between 1 and 65535"),
        (["up", "--arch", "plan1", "--origin", "foo"], "--origin is 'foo', but it must be"),
        (["costs", "--rounds", "2000"], "--rounds is 2,000, but it must be between 1 and 1,000"),
        (["claims", "--rounds", "0"], "--rounds is 0, but"),
        (["claims", "--resume", "/nowhere"], "--resume: there is no folder '/nowhere'"),
        (["costs", "--from", "/nowhere"], "--from: there is no folder '/nowhere'"),
        (["run", "--sed", "3"], "no such option '--sed'"),
        (["sing"], "no such command 'sing'; see chatbench --help"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_exit_2(arguments: list[str], says: str) -> None:
    (sentence,) = refusal(*arguments).splitlines()
    assert sentence.startswith("chatbench: ")
    assert says in sentence


def test_a_refused_command_ends_its_process_so() -> None:
    answer = chatbench("run", "--arch", "plan1x")
    assert answer.returncode == 2
    (sentence,) = answer.stderr.splitlines()
    assert sentence.startswith("chatbench: there is no architecture 'plan1x'")
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("run --arch pl", {"plan1", "plan2"}),
        ("compare --scenario m", {"many_rooms"}),
        ("comp", {"compare", "completion"}),
    ],
)
def test_a_shell_completes_commands_and_names(typed: str, offered: set[str]) -> None:
    words = f"chatbench {typed}"
    asked = {"_CHATBENCH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    answer = subprocess.run(
        [Path(sys.executable).parent / "chatbench"], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert {line.partition(",")[2] for line in answer.stdout.split()} == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    assert "_CHATBENCH_COMPLETE" in command("completion", shell).stdout


def test_no_color_is_respected_on_a_terminal() -> None:
    def doctor(**environment: str) -> str:
        terminal = os.environ | {"TERM": "xterm", "FORCE_COLOR": "1"} | environment
        return subprocess.run([*CHATBENCH, "doctor"], env=terminal, capture_output=True, text=True, check=False).stdout

    green = "\x1b[32m"
    assert green in doctor()
    assert green not in doctor(NO_COLOR="1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere"], "there is no folder '/nowhere'"),
        (["/dev"], "there is no record of a run in /dev"),
        (["/dev/null"], "'/dev/null' is not a folder"),
        ([".", "--out", "/proc/x"], "cannot be written"),
    ],
)
def test_a_report_of_nothing_or_to_nowhere_is_one_clear_sentence(arguments: list[str], says: str) -> None:
    assert says in refusal("report", *arguments)


def test_off_a_terminal_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in chatbench("list").stdout + chatbench("doctor").stdout


ANSWERS = {
    "list": (["list"], Listing),
    "doctor": (["doctor"], list[MachineCheck]),
    "advise": (["advise", "--rooms", "1k", "--members-per-room", "200", "--rate", "2k"], Advice),
    "simulate": (
        ["simulate", "--arch", "redis", "--rooms", "50", "--members-per-room", "20", "--rate", "50"],
        Simulation,
    ),
    "report": (["report", str(REFERENCE / "big_room"), "--out"], Report),
    "claims": (["claims", "--from", str(REFERENCE / "claims"), "--out"], list[Judged]),
    "costs": (["costs", "--from", str(REFERENCE / "costs"), "--out"], UnitCosts),
}


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "kind"), ANSWERS.values(), ids=ANSWERS.keys())
def test_json_is_the_answer_alone(arguments: list[str], kind: Any, tmp_path: Path) -> None:
    where = [str(tmp_path / "out")] if arguments[-1] == "--out" else []
    answer = chatbench(*arguments, *where, "--json")
    assert answer.returncode == 0, answer.stderr
    assert msgspec.json.decode(answer.stdout, type=kind)


def test_every_command_that_answers_can_do_so_in_json() -> None:
    answers = {name for name, command in main.commands.items() if "as_json" in {each.name for each in command.params}}
    assert answers == {
        *("run", "compare", "capacity", "report", "faults", "selftest"),
        *("claims", "costs", "advise", "simulate", "list", "doctor"),
    }


def test_json_together_with_resume_keeps_the_original_options(tmp_path: Path) -> None:
    assert "leave --json out" not in refusal("compare", "--resume", tmp_path, "--json")
