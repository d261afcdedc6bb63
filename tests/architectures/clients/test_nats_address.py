"""The address of NATS, parsed from a URL."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.clients.address import BadAddress
from architectures.clients.nats_address import NatsAddress


@given(st.sampled_from(["nats", "tls"]), st.text("aé1:.,[]@/?#=%-_ \n", max_size=20) | st.text(max_size=20))
def test_any_text_is_an_address_that_means_the_same_when_it_is_written_again_or_a_bad_one(
    scheme: str, rest: str
) -> None:
    for text in (rest, f"{scheme}://{rest}"):
        with contextlib.suppress(BadAddress):
            address = NatsAddress.parse(text)
            assert NatsAddress.parse(str(address)) == address
            assert address.servers
            assert isinstance(address.proof, dict)


def test_who_one_is_and_several_servers_may_stand_in_it() -> None:
    address = NatsAddress.parse("nats://chat:a%20sesame%40x@one:4223,two")
    assert address.servers == ["nats://one:4223", "nats://two:4222"]
    assert address.proof == {"user": "chat", "password": "a sesame@x"}
    assert "sesame" not in repr(address)
    assert NatsAddress.parse("tls://one").servers == ["tls://one:4222"]
    assert NatsAddress.parse("tls://one").proof == {}


def test_a_name_without_a_password_is_a_token() -> None:
    assert NatsAddress.parse("nats://a%0Aword@one").proof == {"token": "a\nword"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://one", "must be nats://HOST:PORT"),
        ("one:4222", "must be nats://HOST:PORT"),
        ("nats://one:99999", "the port of one is '99999'"),
        ("nats://", "a host is missing"),
        ("nats://one/chat", "nothing may follow its hosts"),
        ("nats://one?tls=1", "nothing may follow its hosts"),
        ("nats://:word@one", "a password without a user name"),
    ],
)
def test_what_is_no_address_is_one_clear_sentence(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        NatsAddress.parse(url)
