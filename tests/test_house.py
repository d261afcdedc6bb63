"""Imports go down the layers, there are no import cycles, and each fact has one place."""

from __future__ import annotations

import ast
import re

import pytest

from harness.core.registry import architecture_names, peer_names
from tools.docs.house import BEGIN, END, FLOORS, MAP, ROOT, circles, imports, modules, page, room_of, upward

# Names that are also those of a backend, or a word, cannot be looked for.
NAMES = {*architecture_names(), *peer_names()} - {"redis", "nats", "direct", "channels", "faulty"}
# The design note's claims are about its plans by name; these say what is measured, as a command line does.
NAMED_IN = (
    "harness/experiments/claims/",
    "tools/reference.py",
    "tools/docs/quotes.py",
    "tools/docs/architecture_page.py",
)


def test_every_import_goes_down() -> None:
    assert upward(imports()) == []


def test_no_two_modules_import_each_other() -> None:
    assert circles(imports()) == []


def test_an_import_that_goes_up_and_a_circle_are_found() -> None:
    wrong = {
        "harness.core.faults": frozenset({"harness.cli.types"}),
        "harness.cli.types": frozenset({"harness.core.faults"}),
    }
    assert upward(wrong) == ["harness.core.faults -> harness.cli.types"]
    assert circles(wrong) == [["harness.cli.types", "harness.core.faults"]]


def test_every_module_is_in_a_room() -> None:
    assert {name for name in modules() if not room_of(name)} == {"harness"}
    assert all((ROOT / floor).is_dir() for floor in FLOORS)


def test_the_map_shows_the_house_as_it_is() -> None:
    text = MAP.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == page(), "make it anew: python -m tools.docs.house"


def test_the_map_names_only_files_that_are_there() -> None:
    for path in re.findall(r"`((?:\w+/)+[\w.]*)`", MAP.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("top", ["harness", "tools", "chatbench"])
def test_no_other_module_knows_an_architecture_by_its_name(top: str) -> None:
    for path in (ROOT / top).rglob("*.py"):
        if not str(path.relative_to(ROOT)).startswith(NAMED_IN):
            constants = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Constant))
            assert [node.value for node in constants if node.value in NAMES] == [], path
