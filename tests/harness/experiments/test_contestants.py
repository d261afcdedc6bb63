"""Which architectures are compared on which numbers of gateways."""

from __future__ import annotations

import pytest

from harness.core.errors import UsageError
from harness.experiments.contestants import Contestant, contestants_of


def test_each_architecture_is_compared_on_the_numbers_that_it_can_have() -> None:
    found = contestants_of(["direct", "plan1"], [1, 2, 8])
    assert found == [Contestant("direct", 1), Contestant("plan1", 1), Contestant("plan1", 2), Contestant("plan1", 8)]
    assert [str(each) for each in found[:3]] == [
        "direct with 1 gateway",
        "plan1 with 1 gateway",
        "plan1 with 2 gateways",
    ]
    assert len({each.folder for each in found}) == len(found)


def test_without_numbers_each_architecture_is_one_contestant() -> None:
    (found,) = contestants_of(["plan1"], [])
    assert (str(found), found.folder) == ("plan1", "plan1")


def test_an_architecture_that_can_have_none_of_the_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match="--gateways is 2 or more, but direct has at most 1; leave direct out"):
        contestants_of(["plan1", "direct"], [4, 2])
