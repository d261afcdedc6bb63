"""The parts that addresses are made of, each checked once: HOST:PORT, and what stands around it in a URL."""

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
    """Not an address of what it should be one of; the message goes on after `but`, and holds no secret."""


class HostPort(NamedTuple):
    """A host by name or address, and a port that can be connected to."""

    host: str  # an IPv6 address without brackets
    port: int

    @classmethod
    def parse(cls, text: str, usual_port: int | None = None) -> HostPort:
        """`usual_port` is taken where none is named. Raises BadAddress."""
        if "@" in text:  # who comes may have a password, which no error must show
            raise BadAddress("a name or a password has no place in it")
        bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text, re.DOTALL)
        host, port = bracketed.groups() if bracketed else _divided(text)
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
    """One or several, with commas between them. Raises BadAddress."""
    return tuple(HostPort.parse(each.strip(" "), usual_port) for each in text.split(","))


def _divided(text: str) -> tuple[str, str | None]:
    host, colon, port = text.partition(":")
    if ":" in port:
        raise BadAddress(f"{text!r} has more than one colon; an IPv6 address is written in brackets, as [::1]:9001")
    return host, port if colon else None


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError as problem:
        raise BadAddress(f"[{host}] is no IPv6 address") from problem
    if not host.isprintable() or not host.isascii():  # a zone may hold anything
        raise BadAddress(f"[{host}] is no IPv6 address")


def _check_name(host: str) -> None:
    if not NAME.fullmatch(host) or len(host) > NAME_CHARS_MAX:
        raise BadAddress(f"{host!r} is no name of a host")
    if host.rstrip(".").rpartition(".")[2].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError as problem:
            raise BadAddress(f"{host} is no IPv4 address") from problem


def _port(host: str, text: str | None) -> int:
    if text is None:
        raise BadAddress(f"{host} has no port")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= PORT_MAX:
        raise BadAddress(f"the port of {host} is {text!r}, and must be between 1 and {PORT_MAX}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Login:
    """Who comes: what stands before the @ of an address."""

    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:  # so that no log and no traceback holds the password
        return f"Login(user={'given' if self.user else None}, password={'given' if self.password else None})"

    def __str__(self) -> str:
        """As it is written in a URL, with its @; nothing where nobody is named."""
        if self.user is None and self.password is None:
            return ""
        word = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{quote(self.user or '', safe='')}{word}@"


NOBODY = Login()


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL, of which only the login and what the query says have been decoded."""

    scheme: str
    login: Login
    hosts: str
    path: str
    query: dict[str, str]

    @classmethod
    def parse(cls, text: str, must_be: str) -> Url:
        """`must_be` is for whoever wrote no URL at all. Raises BadAddress."""
        if not text.isprintable() or " " in text:  # nor is a byte that is no UTF-8
            raise BadAddress("it holds a character that no address has, as a space or the end of a line")
        match = URL.fullmatch(text)
        if match is None:
            raise BadAddress(must_be)
        scheme, authority, path, query = match.groups()
        if "@" in f"{path}{query}":  # most likely of a password, which no error must show
            raise BadAddress("an @ stands after its hosts; write %40 where one is meant")
        login, _, hosts = authority.rpartition("@")
        user, _, password = login.partition(":")
        try:
            said = parse_qsl(query or "", keep_blank_values=True, strict_parsing=bool(query), errors="strict")
            named = Login(unquote(user, errors="strict") or None, unquote(password, errors="strict") or None)
        except ValueError as problem:  # a UnicodeDecodeError is one as well
            raise BadAddress("what stands after its ? or before its @ cannot be read") from problem
        twice = next((name for number, (name, _value) in enumerate(said) if name in dict(said[:number])), None)
        if twice is not None:
            raise BadAddress(f"it says {twice} twice")
        return cls(scheme.lower(), named, hosts, path or "", dict(said))


SECRET = re.compile(r"pass|user|token|secret|auth|credential", re.IGNORECASE)


def shown(text: str) -> str:
    """An address that was given, for an error: without what may be a secret."""
    beginning, at, rest = text.rpartition("@")
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", beginning)
    without_login = f"{scheme.group() if scheme else ''}...@{rest}" if at else rest
    # Where no host stands before the colon, what follows may be a password whose @ was forgotten.
    hidden = re.sub(r"(?<=://):(?![0-9]*(?:[/?]|$))[^/?]*", ":...", without_login)
    before, question, query = hidden.partition("?")
    said = [
        f"{name}=..." if SECRET.search(unquote(name)) else f"{name}{is_}{value}" for name, is_, value in _said(query)
    ]
    return before + question + "&".join(said)


def _said(query: str) -> list[tuple[str, str, str]]:
    return [each.partition("=") for each in query.split("&")]
