"""Where `make reference` puts its results."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import main
from tools.reference import PARTS, begin, put_in_place


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_an_existing_command(name: str) -> None:
    command, *arguments = PARTS[name].command
    known = {option for parameter in main.commands[command].params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_all_parts_together_take_less_than_four_hours() -> None:
    assert sum(part.minutes for part in PARTS.values()) < 240


def test_parts_of_two_commits_are_not_mixed(tmp_path: Path) -> None:
    making = tmp_path / "in-the-making"
    begin(making, "aaaa")
    begin(making, "bbbb")  # nothing was made yet
    (making / "big_room").mkdir()
    begin(making, "bbbb")
    with pytest.raises(SystemExit, match=r"are of commit bbbb, but this checkout is cccc; remove .* to begin anew"):
        begin(making, "cccc")
    (making / "commit").unlink()
    with pytest.raises(SystemExit, match="are of commit an unknown one"):
        begin(making, "bbbb")


def run_in(folder: Path) -> Path:
    run = folder / "runs" / "hot" / "a-run"
    run.mkdir(parents=True)
    for name in ("summary.json", "manifest.json", "latency.hdr"):
        (run / name).write_text("{}")
    (run / "charts").mkdir()
    (folder / "logs").mkdir()
    (folder / "charts").mkdir()
    (folder / "charts" / "c1.png").touch()
    return folder


@pytest.mark.parametrize(("name", "kept"), [("claims", False), ("big_room", True)])
def test_a_new_part_replaces_the_old_one_and_only_studies_lose_details(tmp_path: Path, name: str, kept: bool) -> None:
    reference = tmp_path / "reference"
    (reference / name / "old").mkdir(parents=True)
    put_in_place(name, run_in(tmp_path / "made"), reference)
    there = reference / name
    assert not (there / "old").exists()
    assert not (there / "logs").exists()
    assert (there / "charts" / "c1.png").exists()
    run = there / "runs" / "hot" / "a-run"
    assert (run / "summary.json").exists()
    assert (run / "latency.hdr").exists() is kept
    assert (run / "charts").exists() is kept
