"""Parses the parts of addresses: HOST:PORT, and the URLs that contain it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

PORT_MAX = 65_535
NAME_CHARS_MAX = 253
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*\.?")
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?(?:\?([^#]*))?")


class BadAddress(ValueError):
    """The text is not a valid address. The message continues a sentence after `but`, and contains no secret."""


class HostPort(NamedTuple):
    """A host name or IP address, and a port from 1 to 65535."""

    host: str  # an IPv6 address without brackets
    port: int

    @classmethod
    def parse(cls, text: str, usual_port: int | None = None) -> HostPort:
        """Parse HOST:PORT. Without a port, the port is `usual_port`. Raises BadAddress."""
        if "@" in text:  # there may be a password before it, which no error must show
            raise BadAddress("it must not contain a name or a password")
        bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text, re.DOTALL)
        host, port = bracketed.groups() if bracketed else _split_port(text)
        if not host:
            raise BadAddress("a host is missing")
        number = usual_port if port is None and usual_port is not None else _port(host, port)
        if bracketed:
            _check_ipv6(host)
        else:
            _check_name(host)
        return cls(host, number)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_hosts(text: str, usual_port: int | None = None) -> tuple[HostPort, ...]:
    """Parse one or several HOST:PORT, separated by commas. Raises BadAddress."""
    return tuple(HostPort.parse(each.strip(" "), usual_port) for each in text.split(","))


def _split_port(text: str) -> tuple[str, str | None]:
    host, colon, port = text.partition(":")
    if ":" in port:
        raise BadAddress(f"{text!r} has more than one colon; write an IPv6 address in brackets, as in [::1]:9001")
    return host, port if colon else None


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError as problem:
        raise BadAddress(f"[{host}] is not an IPv6 address") from problem
    if not host.isprintable() or not host.isascii():  # ipaddress accepts any characters in a zone
        raise BadAddress(f"[{host}] is not an IPv6 address")


def _check_name(host: str) -> None:
    if not NAME.fullmatch(host) or len(host) > NAME_CHARS_MAX:
        raise BadAddress(f"{host!r} is not a host name")
    if host.rstrip(".").rpartition(".")[2].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError as problem:
            raise BadAddress(f"{host} is not an IPv4 address") from problem


def _port(host: str, text: str | None) -> int:
    if text is None:
        raise BadAddress(f"{host} has no port")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= PORT_MAX:
        raise BadAddress(f"the port of {host} is {text!r}, and must be between 1 and {PORT_MAX}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Login:
    """The user name and password before the @ of an address."""

    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:  # so that no log and no traceback holds the password
        return f"Login(user={'given' if self.user else None}, password={'given' if self.password else None})"

    def __str__(self) -> str:
        """Return the login as it is written in a URL, with its @; empty without a name and a password."""
        if self.user is None and self.password is None:
            return ""
        password_part = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{quote(self.user or '', safe='')}{password_part}@"


NO_LOGIN = Login()


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL. Only the login and the query are decoded."""

    scheme: str
    login: Login
    hosts: str
    path: str
    query: dict[str, str]

    @classmethod
    def parse(cls, text: str, must_be: str) -> Url:
        """Parse a URL; raises BadAddress, with the message `must_be` if the text is not a URL at all."""
        if not text.isprintable() or " " in text:  # bytes that are not UTF-8 are not printable either
            raise BadAddress("it contains a character that no address has, such as a space or a line break")
        match = URL.fullmatch(text)
        if match is None:
            raise BadAddress(must_be)
        scheme, authority, path, query = match.groups()
        if "@" in f"{path}{query}":  # most likely a part of a password, which no error must show
            raise BadAddress("there is an @ after its hosts; write %40 instead")
        login, _, hosts = authority.rpartition("@")
        user, _, password = login.partition(":")
        try:
            parameters = parse_qsl(query or "", keep_blank_values=True, strict_parsing=bool(query), errors="strict")
            login_parsed = Login(unquote(user, errors="strict") or None, unquote(password, errors="strict") or None)
        except ValueError as problem:  # includes UnicodeDecodeError
            raise BadAddress("the part after its ? or before its @ cannot be decoded") from problem
        names = [name for name, _value in parameters]
        repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if repeated is not None:
            raise BadAddress(f"it sets {repeated} twice")
        return cls(scheme.lower(), login_parsed, hosts, path or "", dict(parameters))


SECRET = re.compile(r"pass|user|token|secret|auth|credential", re.IGNORECASE)


def shown(text: str) -> str:
    """Return the address for an error message, without anything that may be a secret."""
    beginning, at, rest = text.rpartition("@")
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", beginning)
    without_login = f"{scheme.group() if scheme else ''}...@{rest}" if at else rest
    # If there is no host before the colon, the text after it may be a password whose @ was forgotten.
    hidden = re.sub(r"(?<=://):(?![0-9]*(?:[/?]|$))[^/?]*", ":...", without_login)
    before, question, query = hidden.partition("?")
    parameters = [
        f"{name}=..." if SECRET.search(unquote(name)) else f"{name}{equals}{value}"
        for name, equals, value in _parameters(query)
    ]
    return before + question + "&".join(parameters)


def _parameters(query: str) -> list[tuple[str, str, str]]:
    return [each.partition("=") for each in query.split("&")]
