"""Where gateways may listen, and what that requires."""

from __future__ import annotations

import pytest

from harness.core.errors import UsageError
from harness.core.token import TOKEN_VARIABLE
from harness.gateway.settings import ANY_LOAD, Exposure, Limits
from harness.serve.stack import exposure_of, limits_of

TOKEN = "not-a-secret-of-anybody"


def test_loopback_needs_no_token_but_uses_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert exposure_of("--bind", "127.0.0.1", ()).token is None
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert exposure_of("--bind", "127.0.0.1", ()).token == TOKEN
    assert exposure_of("--bind", "192.168.1.20", ("https://chat.example",)).bind == "192.168.1.20"


@pytest.mark.parametrize(
    ("bind", "token", "says"),
    [
        ("here", TOKEN, "must be an IP address of this host"),
        ("0.0.0.0", None, f"needs a token; set one in {TOKEN_VARIABLE}"),
        ("192.168.1.20", None, f"needs a token; set one in {TOKEN_VARIABLE}"),
        ("127.0.0.1", "short", f"at least 16 characters; set one in {TOKEN_VARIABLE}"),
    ],
)
def test_what_cannot_be_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, bind: str, token: str | None, says: str
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    if token is not None:
        monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(UsageError, match=says) as refused:
        exposure_of("--bind", bind, ())
    assert token is None or token not in str(refused.value)


@pytest.mark.parametrize(
    "origin", ["foo", "https://chat.example.com/page", "ws://h", "https://h:x", "null", "*", "https://me@h"]
)
def test_a_text_that_is_not_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match="must be a web page's origin"):
        exposure_of("--bind", "127.0.0.1", (origin,))


@pytest.mark.parametrize("origin", ["https://chat.example.com", "http://192.168.1.20:8080", "http://[::1]:3000"])
def test_an_origin_is_accepted(origin: str) -> None:
    assert exposure_of("--bind", "127.0.0.1", (origin,)).origins == (origin,)


def test_gateways_on_loopback_accept_any_load() -> None:
    assert limits_of(Exposure()) == ANY_LOAD
    assert limits_of(Exposure(bind="::1")) == ANY_LOAD
    assert limits_of(Exposure(bind="192.168.1.20", token=TOKEN)) == Limits()
