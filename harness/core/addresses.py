"""Addresses on the command line: each kind is parsed here, once, and what is none is refused in one sentence.

None of them holds a secret, since records show the command line: secrets come from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote_plus

from architectures.clients.address import NOBODY, SECRET, BadAddress, HostPort, Url, parse_hosts, shown
from architectures.clients.nats_address import NatsAddress
from architectures.clients.redis_address import RedisAddress
from harness.core.errors import UsageError

KAFKA_PORT = 9092
REDIS_PASSWORD = "CHATBENCH_REDIS_PASSWORD"  # noqa: S105 - the name of a variable, not a password
SENTINEL_PASSWORD = "CHATBENCH_SENTINEL_PASSWORD"  # noqa: S105 - as above
NATS_PASSWORD = "CHATBENCH_NATS_PASSWORD"  # noqa: S105 - as above
NATS_TOKEN = "CHATBENCH_NATS_TOKEN"  # noqa: S105 - as above
# What to do about a secret after the ? of a URL, where that is not to set the password's variable.
INSTEAD = {
    "username": "write it before the host, as USER@HOST",
    "user": "write it before the host, as USER@HOST",
    "sentinel_password": f"leave it out and set {SENTINEL_PASSWORD}",
    "token": f"leave it out and set {NATS_TOKEN}",
    "ssl_password": "use a key that has none",
}
USUAL_PORTS = {"http": 80, "https": 443}
Parsed = TypeVar("Parsed")


def host_port(option: str, given: str) -> HostPort:
    """HOST:PORT, where a host that is an IPv6 address is in brackets; raises UsageError."""
    return _parsed(option, given, HostPort.parse, "it must be HOST:PORT, as in 192.168.1.20:9001")


def kafka_hosts(given: str) -> tuple[HostPort, ...]:
    """Of --kafka-bootstrap; raises UsageError."""
    example = "it must be HOST:PORT,..., while the protocol stands in --kafka-properties"
    return _parsed("--kafka-bootstrap", given, lambda text: parse_hosts(text, KAFKA_PORT), example)


def redis_address(given: str) -> RedisAddress:
    """Of --redis-url; raises UsageError."""
    _check_no_secret("--redis-url", given, REDIS_PASSWORD)
    return _parsed("--redis-url", given, RedisAddress.parse)


def nats_address(given: str) -> NatsAddress:
    """Of --nats-url; a name in it is a user's. Raises UsageError."""
    _check_no_secret("--nats-url", given, NATS_PASSWORD)
    return _parsed("--nats-url", given, NatsAddress.parse)


def gateway_url(option: str, given: str) -> str:
    """Of a gateway, as it is always written; raises UsageError."""
    return _parsed(option, given, _gateway, "a gateway's address is like ws://192.168.1.20:9001")


def _gateway(text: str) -> str:
    url = Url.parse(text, "it is no URL")
    if url.scheme != "ws":
        raise BadAddress("it does not begin with ws://")
    return f"ws://{HostPort.parse(_hosts_alone(url))}"


def web_origin(option: str, given: str) -> str:
    """Of a web page, as browsers tell it; raises UsageError."""
    example = "it must be what a page comes from, as in https://chat.example.com or http://192.168.1.20:8080"
    return _parsed(option, given, _origin, example)


def _origin(text: str) -> str:
    url = Url.parse(text, "it is no URL")
    usual_port = USUAL_PORTS.get(url.scheme)
    if usual_port is None:
        raise BadAddress("it does not begin with http:// or https://")
    at = HostPort.parse(_hosts_alone(url).lower(), usual_port)
    return f"{url.scheme}://{at if at.port != usual_port else str(at).rpartition(':')[0]}"


def _hosts_alone(url: Url) -> str:
    if url.login != NOBODY or url.path not in {"", "/"} or url.query:
        raise BadAddress("more than a host and its port stands there")
    return url.hosts


def _parsed(option: str, given: str, parse: Callable[[str], Parsed], must_be: str | None = None) -> Parsed:
    try:
        return parse(given)
    except BadAddress as problem:
        why = problem if must_be is None else f"{must_be} ({problem})"
        raise UsageError(f"{option} is {shown(given)!r}, but {why}") from problem


def _check_no_secret(option: str, given: str, variable: str) -> None:
    """Also of what is no address for another reason, which would be shown as well."""
    login, at, _hosts = given.rpartition("@")
    if at and ":" in re.sub("^[^:/]*://", "", login):
        raise UsageError(f"{option} has a password in it, which records would show; leave it out and set {variable}")
    for said in given.partition("?")[2].split("&"):
        name = unquote_plus(said.partition("=")[0])
        if SECRET.search(name):
            instead = INSTEAD.get(name, f"leave it out and set {variable}")
            raise UsageError(f"{option} says {name!r} after its ?, which records would show; {instead}")
