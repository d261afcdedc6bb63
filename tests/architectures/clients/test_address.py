"""HOST:PORT and URLs: every text is either a valid address or an error of one sentence."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.clients.address import BadAddress, HostPort, Login, Url, parse_hosts, shown

# Text of which some comes near to an address.
NEARLY = st.text("aé1:.,[]@/?#&=%-_ \n\0\ud800", max_size=30) | st.text(max_size=30)


@given(NEARLY)
def test_any_text_is_a_host_and_a_port_or_a_bad_address(text: str) -> None:
    with contextlib.suppress(BadAddress):
        parsed = HostPort.parse(text, 9092)
        assert parsed.host
        assert 1 <= parsed.port <= 65_535
        assert HostPort.parse(str(parsed)) == parsed


@given(NEARLY)
def test_any_text_is_a_url_or_a_bad_address(text: str) -> None:
    with contextlib.suppress(BadAddress):
        Url.parse(f"redis://{text}", "it is no URL")


@given(st.text(), st.text())
def test_who_comes_is_read_as_it_was_written(user: str, password: str) -> None:
    login = Login(user or None, password or None)
    assert Url.parse(f"nats://{login}h:1", "it is no URL").login == login


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("one:9001", ("one", 9001)),
        ("one", ("one", 9092)),
        ("[::1]:9001", ("::1", 9001)),
        ("[fe80::1%eth0]", ("fe80::1%eth0", 9092)),
        ("kafka_1.chat.example.:1", ("kafka_1.chat.example.", 1)),
        ("127.0.0.1:65535", ("127.0.0.1", 65_535)),
    ],
)
def test_what_is_an_address(text: str, parsed: tuple[str, int]) -> None:
    assert HostPort.parse(text, 9092) == parsed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a host is missing"),
        (":9001", "a host is missing"),
        ("one:", "the port of one is '', and must be between 1 and 65535"),
        ("one:0", "the port of one is '0'"),
        ("one:99999", "the port of one is '99999', and must be between 1 and 65535"),
        ("one:abc", "the port of one is 'abc'"),
        ("one:\u0661", "the port of one"),
        ("one:-1", "the port of one is '-1'"),
        ("::1", "write an IPv6 address in brackets"),
        ("[::g]:1", r"\[::g\] is not an IPv6 address"),
        ("[one]:1", r"\[one\] is not an IPv6 address"),
        ("[::1]1", "more than one colon"),
        ("256.0.0.1:1", "256.0.0.1 is not an IPv4 address"),
        ("-one:1", "'-one' is not a host name"),
        ("o ne:1", "'o ne' is not a host name"),
        ("kafka é:1", "is not a host name"),
        ("PLAINTEXT://one:9092", "more than one colon"),
        ("me@one:1", "it must not contain a name or a password"),
    ],
)
def test_what_is_no_address_is_one_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        HostPort.parse(text, 9092)


def test_several_hosts_stand_between_commas() -> None:
    assert parse_hosts("one:1, [::2]", 9) == (("one", 1), ("::2", 9))
    with pytest.raises(BadAddress, match="a host is missing"):
        parse_hosts("one,,two", 9)


@pytest.mark.parametrize(
    "text",
    [
        "redis://me:word@one?db=x",
        "me:word@one",
        "redis://one?password=word",
        "redis://one?pass%77ord=word&db=1",
        "redis://me:wo/rd@one",
    ],
)
def test_no_error_shows_a_secret(text: str) -> None:
    assert "word" not in shown(text).replace("password", "")
    assert "rd@" not in shown(text)


def test_what_holds_no_secret_is_shown_as_it_is() -> None:
    assert shown("redis://one:99999/0?db=x") == "redis://one:99999/0?db=x"
