"""Which browser requests a server accepts: the allowed values of the headers Origin and Host.

Any web page can make its reader's browser call a server on the reader's own machine. The browser then sends the page's
origin in Origin. A page can avoid that by resolving its own host name to this machine (DNS rebinding), but then that
name is in Host. An IP address cannot be rebound, so a Host that is an IP address is always allowed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

WRONG_NAME = "this server is not known by that host name; use its IP address or localhost"


@dataclass(frozen=True, slots=True)
class Callers:
    """The host names and origins that a server accepts."""

    names: frozenset[str]  # host names of the server, besides localhost and IP addresses
    origins: frozenset[str]  # origins whose pages may call the server, besides its own and those of this host

    @classmethod
    def of(cls, names: Iterable[str], origins: Iterable[str] = ()) -> Callers:
        """Add to `names` this machine's name and the host of each origin, which a proxy may pass on as Host."""
        origins = frozenset(origins)
        every = {*names, socket.gethostname(), *(_name(_netloc(origin)) or "" for origin in origins)}
        return cls(frozenset(name.lower() for name in every if name), origins)

    def hosts_allowed(self, hosts: Iterable[str]) -> bool:
        """Whether every Host header names this server. No header is allowed too, because every browser sends one."""
        return all(self._is_own(_name(host)) for host in hosts)

    def origins_allowed(self, origins: Iterable[str], hosts: Iterable[str]) -> bool:
        """Whether pages of these origins may call; the server's own pages have the same name in Origin and in Host."""
        own = {host.lower() for host in hosts if self._is_own(_name(host))}
        return all(origin in self.origins or _is_of_this_host(origin) or _netloc(origin) in own for origin in origins)

    def _is_own(self, name: str | None) -> bool:
        return name is not None and (name == "localhost" or name in self.names or _address(name) is not None)


def _name(host: str) -> str | None:
    """Return the host without its port; None if there is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".") or None
    except ValueError:
        return None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_of_this_host(origin: str) -> bool:
    name = _name(_netloc(origin)) or ""
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)
