"""`--help` shows every option once, under headings."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from harness.cli.help import SECTIONS
from harness.cli.main import main


def help_of(*command: str) -> str:
    return CliRunner().invoke(main, [*command, "--help"], terminal_width=100).output


def test_every_command_is_listed_under_a_heading_with_its_whole_summary() -> None:
    shown = " ".join(help_of().split())
    for name, command in main.commands.items():
        summary = " ".join((command.help or "").split("\n\n")[0].split())
        assert f"{name} {summary}" in shown
        assert sum(command in commands for commands in main.sections.values()) == 1
    for heading in ("Measure:", "Decide:", "Live:", "Trust:", "Hosts:"):
        assert heading in shown


@pytest.mark.parametrize("name", main.commands)
def test_every_option_is_shown_once(name: str) -> None:
    shown = help_of(name)
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert len(re.findall(rf"^  (?:-\w, )?{parameter.opts[-1]}\b(?!-)", shown, flags=re.MULTILINE)) == 1


@pytest.mark.parametrize("name", ["run", "compare", "capacity", "faults", "ui", "up", "gateway"])
def test_many_options_are_grouped_under_headings(name: str) -> None:
    shown = help_of(name)
    assert "Architecture:\n  --arch" in shown
    assert "External Kafka, Redis and NATS:" in shown or name == "faults"


@pytest.mark.parametrize("name", main.commands)
def test_defaults_are_shown_in_one_style(name: str) -> None:
    told = re.findall(r"\[[^\]=@]*\]", " ".join(help_of(name).split()))
    for each in told:
        assert each in {"[OPTIONS]", "[required]"} or each.startswith("[default: ")
        assert not re.fullmatch(r"\[default: \d+\.0\]", each)


def test_every_name_under_a_heading_is_an_option_of_some_command() -> None:
    names = {each.opts[-1].lstrip("-") for command in main.commands.values() for each in command.params}
    assert {name for section in SECTIONS.values() for name in section} - {"help"} <= names
