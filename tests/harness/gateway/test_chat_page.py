"""The requests of the chat page."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.interface import Topology
from harness.core.registry import architecture_names, load_architecture
from harness.gateway.chat_page import chat_page, route

TOPOLOGY = Topology(run_id="r", gateways=3)
QUERY = {"room": ["final"], "sender": ["1"], "listening": ["2,0"]}


@pytest.mark.parametrize("arch", architecture_names())
def test_a_message_goes_from_its_sender_to_who_listens(arch: str) -> None:
    told = msgspec.json.decode(route(load_architecture(arch), TOPOLOGY, QUERY))
    places = {arrow[end]["name"] for arrow in told["arrows"] for end in ("start", "end")}
    assert {"sender", "members"} <= places
    heard = {arrow["start"]["name"] for arrow in told["heard"]}
    at = {"direct": {"the gateway"}, "faulty": {"the gateway"}, "naive": {"gateway 2"}, "plan2": {"gateway 2"}}
    assert heard == at.get(arch, {"gateway 0", "gateway 2"})
    assert [place["row"] for place in told["unreached"]] == ([0] if arch == "naive" else [])


@given(
    st.dictionaries(
        st.sampled_from(["room", "sender", "listening", "other"]), st.lists(st.text(max_size=300), min_size=1)
    )
)
def test_whatever_is_asked_there_is_an_answer_of_bounded_size(query: dict[str, list[str]]) -> None:
    assert len(route(load_architecture("plan1"), TOPOLOGY, query)) < 20_000


def test_the_page_needs_nothing_from_outside() -> None:
    addresses = re.findall(r"(?:https?:)?//[a-z][\w.-]+", chat_page())
    assert set(addresses) <= {"http://www.w3.org"}, "that one is a name, not an address"


@pytest.mark.parametrize("arch", architecture_names())
def test_the_page_has_the_summary_of_each_architecture_in_korean(arch: str) -> None:
    assert re.search(rf'^ *"{arch}": ".*[가-힣].*",$', chat_page(), re.MULTILINE)
