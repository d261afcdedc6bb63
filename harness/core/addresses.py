"""Addresses on the command line: every kind is parsed here, and a bad one is refused in one sentence.

Addresses must not contain secrets, because records show the command line: secrets come from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote_plus

from architectures.clients.address import NO_LOGIN, SECRET, BadAddress, HostPort, Url, parse_hosts, shown
from architectures.clients.nats_address import NatsAddress
from architectures.clients.redis_address import RedisAddress
from harness.core.errors import UsageError

KAFKA_PORT = 9092
REDIS_PASSWORD = "CHATBENCH_REDIS_PASSWORD"  # noqa: S105 - the name of a variable, not a password
SENTINEL_PASSWORD = "CHATBENCH_SENTINEL_PASSWORD"  # noqa: S105 - as above
NATS_PASSWORD = "CHATBENCH_NATS_PASSWORD"  # noqa: S105 - as above
NATS_TOKEN = "CHATBENCH_NATS_TOKEN"  # noqa: S105 - as above
# Advice for a secret in the query of a URL, for parameters that the password's variable does not replace.
SECRET_ADVICE = {
    "username": "write it before the host, as USER@HOST",
    "user": "write it before the host, as USER@HOST",
    "sentinel_password": f"leave it out and set {SENTINEL_PASSWORD}",
    "token": f"leave it out and set {NATS_TOKEN}",
    "ssl_password": "use a key without a password",
}
DEFAULT_PORTS = {"http": 80, "https": 443}
Parsed = TypeVar("Parsed")


def host_port(option: str, value: str) -> HostPort:
    """Parse HOST:PORT, with an IPv6 address in brackets; raises UsageError."""
    return _parse(option, value, HostPort.parse, "it must be HOST:PORT, as in 192.168.1.20:9001")


def kafka_hosts(value: str) -> tuple[HostPort, ...]:
    """Parse the value of --kafka-bootstrap; raises UsageError."""
    example = "it must be HOST:PORT,...; the protocol is set in --kafka-properties"
    return _parse("--kafka-bootstrap", value, lambda text: parse_hosts(text, KAFKA_PORT), example)


def redis_address(value: str) -> RedisAddress:
    """Parse the value of --redis-url; raises UsageError."""
    _check_no_secret("--redis-url", value, REDIS_PASSWORD)
    return _parse("--redis-url", value, RedisAddress.parse)


def nats_address(value: str) -> NatsAddress:
    """Parse the value of --nats-url, in which a name before the @ is a user name; raises UsageError."""
    _check_no_secret("--nats-url", value, NATS_PASSWORD)
    return _parse("--nats-url", value, NatsAddress.parse)


def gateway_url(option: str, value: str) -> str:
    """Parse a gateway's URL and return it in its normal form, ws://HOST:PORT; raises UsageError."""
    return _parse(option, value, _parse_gateway, "it must be a gateway's address, such as ws://192.168.1.20:9001")


def _parse_gateway(text: str) -> str:
    url = Url.parse(text, "it is not a URL")
    if url.scheme != "ws":
        raise BadAddress("it does not begin with ws://")
    return f"ws://{HostPort.parse(_hosts_only(url))}"


def web_origin(option: str, value: str) -> str:
    """Parse the origin of a web page and return it as browsers send it in `Origin`; raises UsageError."""
    example = "it must be a web page's origin, such as https://chat.example.com or http://192.168.1.20:8080"
    return _parse(option, value, _parse_origin, example)


def _parse_origin(text: str) -> str:
    url = Url.parse(text, "it is not a URL")
    usual_port = DEFAULT_PORTS.get(url.scheme)
    if usual_port is None:
        raise BadAddress("it does not begin with http:// or https://")
    at = HostPort.parse(_hosts_only(url).lower(), usual_port)
    return f"{url.scheme}://{at if at.port != usual_port else str(at).rpartition(':')[0]}"


def _hosts_only(url: Url) -> str:
    if url.login != NO_LOGIN or url.path not in {"", "/"} or url.query:
        raise BadAddress("it has more than a host and its port")
    return url.hosts


def _parse(option: str, value: str, parse: Callable[[str], Parsed], must_be: str | None = None) -> Parsed:
    try:
        return parse(value)
    except BadAddress as problem:
        why = problem if must_be is None else f"{must_be} ({problem})"
        raise UsageError(f"{option} is {shown(value)!r}, but {why}") from problem


def _check_no_secret(option: str, value: str, variable: str) -> None:
    """Refuse secrets before anything else, because every error about the address shows it."""
    login, at, _hosts = value.rpartition("@")
    if at and ":" in re.sub("^[^:/]*://", "", login):
        raise UsageError(f"{option} contains a password, which records would show; leave it out and set {variable}")
    for parameter in value.partition("?")[2].split("&"):
        name = unquote_plus(parameter.partition("=")[0])
        if SECRET.search(name):
            advice = SECRET_ADVICE.get(name, f"leave it out and set {variable}")
            raise UsageError(f"{option} sets {name!r} after its ?, which records would show; {advice}")
