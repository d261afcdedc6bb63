"""Every quoted figure in the documents is the reference's."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.study import judge
from harness.experiments.costs.study import fit_and_check
from harness.report.claims import FINDINGS, Judged, write_findings
from harness.report.costs import UNIT_COSTS, UnitCosts, write_costs
from tools.docs import korean, quotes
from tools.docs.quotes import DOCUMENTS, REFERENCE, ROOT, quoted


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_quote_agrees_with_the_reference(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- quote: " in text
    assert text.count("<!-- quote: ") == text.count("<!-- end of quote -->")
    assert quoted(text) == text, "make them anew: python -m tools.docs.quotes"


def test_a_figure_that_was_changed_by_hand_is_noticed() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert quoted(text.replace("| held |", "| broken |", 1)) == text


def test_only_what_is_between_the_marks_is_changed() -> None:
    text = "Before.\n<!-- quote: machine -->\nold\n<!-- end of quote -->\nBetween: old.\n"
    made = quoted(text)
    assert made.startswith("Before.\n<!-- quote: machine -->\n\n- ")
    assert made.endswith("\n\n<!-- end of quote -->\nBetween: old.\n")
    assert made.count("old") == 1


def test_a_quote_of_a_kind_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        quoted("<!-- quote: wishes -->\n<!-- end of quote -->")


def test_quotes_are_put_into_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text("<!-- quote: machine -->\n<!-- end of quote -->\n")
    monkeypatch.setattr(quotes, "ROOT", tmp_path)
    monkeypatch.setattr(quotes, "DOCUMENTS", ("page.md",))
    quotes.main()
    assert "cores of" in (tmp_path / "page.md").read_text()


@pytest.mark.slow
def test_the_findings_of_the_reference_are_what_its_records_say(tmp_path: Path) -> None:
    committed = msgspec.json.decode((REFERENCE / "claims" / FINDINGS).read_bytes(), type=list[Judged])
    if not any(each.findings for each in committed):
        pytest.skip("it was written by earlier rules; the next `make reference` writes it anew")
    undrawn = [(claim, msgspec.structs.replace(found, picture=None)) for claim, found in judge(REFERENCE / "claims")]
    write_findings(undrawn, tmp_path)
    assert (tmp_path / FINDINGS).read_bytes() == (REFERENCE / "claims" / FINDINGS).read_bytes()


@pytest.mark.slow
def test_the_unit_costs_of_the_reference_are_what_its_records_say(tmp_path: Path) -> None:
    write_costs(*fit_and_check(REFERENCE / "costs"), tmp_path)
    made, committed = (
        msgspec.json.decode((folder / UNIT_COSTS).read_bytes(), type=UnitCosts)
        for folder in (tmp_path, REFERENCE / "costs")
    )
    for one, other in zip(made.unit_costs, committed.unit_costs, strict=True):
        assert one.part == other.part
        assert one.costs == pytest.approx(other.costs, rel=1e-6)
    assert made.held_out[0].median_error == pytest.approx(committed.held_out[0].median_error, rel=1e-6)


def test_every_claim_and_every_verdict_is_there_in_korean() -> None:
    assert list(korean.CLAIMS) == [claim.id for claim in CLAIMS]
    assert set(korean.VERDICTS) == {"supported", "not supported", "undecided"}


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("README.md", "README.ko.md"),
        ("docs/index.md", "docs/index.ko.md"),
        ("docs/cookbook.md", "docs/cookbook.ko.md"),
    ],
)
def test_the_korean_pages_have_the_same_commands_figures_and_pictures(english: str, translated: str) -> None:
    english_text, korean_text = ((ROOT / name).read_text(encoding="utf-8") for name in (english, translated))
    for pattern in (
        r"```(?:sh|toml|python)\n.*?```",
        r"<!-- quote: .*? -->",
        r"!\[[^\]]*\]\(([^)]*)\)",
        r"^\| (`[^`]+`) \|",
    ):
        found, other = (
            re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE) for text in (english_text, korean_text)
        )
        assert found == [each.replace("verdicts-in-korean", "verdicts") for each in other]
        assert found or not pattern.startswith("```")
