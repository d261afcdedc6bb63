"""One claim of the design note, tested on real brokers from the command line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.command_line import command, refusal
from tests.real.runs import chatbench


def test_the_first_claim_holds_and_can_be_judged_again_from_its_records(tmp_path: Path) -> None:
    effort = ["--duration", "3s", "--warmup", "0s", "--rounds", "1"]
    answer = chatbench("claims", "--claim", "C1", *effort, "--out", str(tmp_path / "results"))
    assert answer.returncode == 0, answer.stderr
    assert "run 3 of 3: fragments: naive" in answer.stderr
    (study,) = (tmp_path / "results").iterdir()
    again = command("claims", "--from", study, "--out", tmp_path / "again")
    assert again.exit_code == 0, again.stderr
    for folder in (study, tmp_path / "again"):
        (found,) = msgspec.json.decode((folder / "findings.json").read_bytes())
        assert (found["id"], found["verdict"]) == ("C1", "supported")
        assert "4 gateways in one group, members receive 1 / 4 of the chat: 25 %" in found["measured"][2]
        assert "## C1" in (folder / "claims.md").read_text(encoding="utf-8")
        assert (folder / "charts" / "c1.png").stat().st_size > 1000
    # Resumed, nothing is left to run.
    resumed = chatbench("claims", "--resume", str(study))
    assert resumed.returncode == 0, resumed.stderr
    assert "run 1 of" not in resumed.stderr


def test_a_claim_that_there_is_not_is_named_with_those_there_are(tmp_path: Path) -> None:
    says = "--claim is 'C12', but it must be one of C1, C2"
    assert says in refusal("claims", "--claim", "C12", "--out", tmp_path)
    assert "chatbench claims" in refusal("claims", "--from", tmp_path, "--out", tmp_path / "again")


def test_advice_without_measurements_says_which_command_makes_them(tmp_path: Path) -> None:
    chat = ["--rooms", "10", "--members-per-room", "5", "--rate", "10"]
    assert "is not a folder that `chatbench costs` made" in refusal("advise", *chat, "--costs", tmp_path)
