"""Which web pages may call our servers, and under which host names."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.callers import Callers

CALLERS = Callers.of(("bench-3",), ("https://chat.example", "http://[2001:db8::5]:8080"))


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("localhost:8089", True),
        ("LOCALHOST", True),
        ("localhost.:8089", True),
        ("127.0.0.1:8089", True),
        ("[::1]:8089", True),
        ("192.168.1.20:8089", True),
        ("bench-3:8089", True),
        ("chat.example", True),
        (f"{socket.gethostname()}:1", True),
        ("evil.example:8089", False),
        ("localhost.evil.example:8089", False),
        ("127.0.0.1.evil.example", False),
        ("chat.example.evil.example", False),
        ("evil.example,localhost", False),
        ("", False),
        ("[", False),
    ],
)
def test_a_name_that_anybody_can_make_lead_here_is_not_the_servers(host: str, right: bool) -> None:
    assert CALLERS.hosts_allowed([host]) is right
    assert CALLERS.hosts_allowed([host, "evil.example"]) is False


@pytest.mark.parametrize(
    ("origin", "host", "may"),
    [
        ("http://localhost:3000", "127.0.0.1:8089", True),
        ("https://chat.example", "127.0.0.1:8089", True),
        ("http://192.168.1.20:8089", "192.168.1.20:8089", True),  # the server's own page
        ("http://192.168.1.21:8089", "192.168.1.20:8089", False),
        ("http://evil.example:8089", "evil.example:8089", False),  # its own page under a name that is not its
        ("http://evil.example", "127.0.0.1:8089", False),
        ("http://localhost.evil.example", "localhost:8089", False),
        ("null", "127.0.0.1:8089", False),
        ("", "127.0.0.1:8089", False),
        ("http://[", "127.0.0.1:8089", False),
    ],
)
def test_only_pages_of_here_and_those_named_may_call(origin: str, host: str, may: bool) -> None:
    assert CALLERS.origins_allowed([origin], [host]) is may
    assert CALLERS.origins_allowed([origin, "http://evil.example"], [host]) is False


def test_who_is_no_browser_tells_neither() -> None:
    assert CALLERS.hosts_allowed([])
    assert CALLERS.origins_allowed([], ["localhost"])


@given(st.text())
def test_whatever_is_told_is_answered(told: str) -> None:
    CALLERS.hosts_allowed([told])
    CALLERS.origins_allowed([told], [told])
