from __future__ import annotations

import pytest

from architectures.interface import Option
from harness.core.options import choose_options

DEFAULTS: dict[str, Option] = {"keep": 10_000, "exponent": 1.1, "acks": "all"}


@pytest.mark.parametrize(
    ("name", "given", "chosen"),
    [("keep", "500", 500), ("keep", "1e3", 1000), ("keep", "2.5", 2.5), ("exponent", "2", 2.0), ("acks", "1", "1")],
)
def test_a_whole_number_stays_whole_where_the_default_is(name: str, given: str, chosen: Option) -> None:
    value = choose_options(DEFAULTS, {name: given})[name]
    assert (value, type(value)) == (chosen, type(chosen))


def test_all_options_are_there_whatever_is_chosen() -> None:
    assert choose_options(DEFAULTS, {}) == DEFAULTS
    assert choose_options(DEFAULTS, {"keep": "5"}) == {**DEFAULTS, "keep": 5}
