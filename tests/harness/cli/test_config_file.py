from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from harness.cli.compare import compare
from harness.cli.config_file import config_option
from harness.cli.main import main
from harness.cli.run import run
from harness.cli.types import DURATION
from harness.cli.up import up
from harness.core.errors import UsageError


@click.command()
@click.option("--arch", "architectures", multiple=True)
@click.option("--duration", "duration_s", type=DURATION, default="30s")
@click.option("--as-many", type=int, default=1)
@click.option("--dedup", is_flag=True)
@config_option
def shown(**given: Any) -> None:
    click.echo(repr(given))


def told(file: Path, *arguments: str) -> dict[str, Any]:
    answer = CliRunner().invoke(shown, ["--config", str(file), *arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    given: dict[str, Any] = eval(answer.output)
    return given


def test_every_kind_of_option_can_come_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('arch = ["plan1", "redis"]\nduration = "2m"\nas-many = 3\ndedup = true\n')
    assert told(file) == {"architectures": ("plan1", "redis"), "duration_s": 120.0, "as_many": 3, "dedup": True}


def test_an_option_that_repeats_may_have_one_value_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('arch = "plan1"\n')
    assert told(file)["architectures"] == ("plan1",)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('duration = "2m"\n', encoding="utf-8-sig")
    assert told(file)["duration_s"] == 120.0


def test_the_command_line_wins_and_the_rest_keeps_its_default(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('duration = "2m"\nas_many = 3\n')
    given = told(file, "--duration", "5s")
    assert (given["duration_s"], given["as_many"], given["dedup"]) == (5.0, 3, False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("durations = 3", "did you mean 'duration'"),
        ("= 3", "is not valid TOML"),
        ('config = "x"', "there is no option 'config'"),
        ("dedup = 3", "dedup is 3, but it must be true or false"),
        ('dedup = "yes"', 'dedup is "yes", but it must be true or false'),
        ("duration = true", "duration is true, but it must be text or a number"),
        ("duration = {s = 3}", 'duration is {"s":3}, but it must be text or a number'),
        ("duration = 2026-11-26", "but it must be text or a number"),
        ("duration = [1, 2]", r"duration is \[1,2\], but it must be text or a number"),
        ("arch = [[1]]", "but it must be text, a number, or a list of these"),
        (f"as-many = {'9' * 5000}", "is not valid TOML"),
        (f"arch = {'[' * 5000}{']' * 5000}", "is not valid TOML"),
        ('arch = "\0"', "is not valid TOML"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "o.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        CliRunner().invoke(shown, ["--config", str(file)], catch_exceptions=False)


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        CliRunner().invoke(shown, ["--config", str(tmp_path / "none.toml")], catch_exceptions=False)


@pytest.mark.parametrize("command", [run, compare, up])
def test_the_commands_that_run_something_take_one(command: click.Command) -> None:
    assert "config" in {parameter.name for parameter in command.params}


def test_a_value_of_the_file_is_checked_like_one_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('arch = "plan1"\nduration = "soon"\n')
    answer = CliRunner().invoke(main, ["run", "--config", str(file)])
    assert answer.exit_code == 2
    assert "write it like 30s" in answer.output
