"""`chatbench` in this process: the same answers as a user gets, without starting a Python for each."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from harness.cli.main import main


def command(*arguments: str | Path, columns: int | None = None) -> Result:
    """The answer to a command that starts no run, as if in a window of so many columns."""
    environment = {} if columns is None else {"COLUMNS": str(columns)}
    return CliRunner().invoke(main, list(map(str, arguments)), env=environment, prog_name="chatbench")


def refusal(*arguments: str | Path) -> str:
    """What a command that is refused says of that, with nothing else: no answer and no traceback."""
    answer = command(*arguments)
    assert answer.exit_code == 2, answer.output
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    return answer.stderr
