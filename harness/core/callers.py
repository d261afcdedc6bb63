"""Who may call a server of ours from a browser: pages of which origin, and by which names of the server.

Any page can make its reader's browser call a server on the reader's own machine. The browser then tells the page's
origin; unless the page has its own name lead to this machine (DNS rebinding), and then that name stands in Host.
An address cannot be made to lead elsewhere, so a Host that is one is always right.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

WRONG_NAME = "this server does not go by that name; call it by its address, or as localhost"


@dataclass(frozen=True, slots=True)
class Callers:
    names: frozenset[str]  # by which the server may be called, beside localhost and addresses
    origins: frozenset[str]  # whose pages may call it, beside its own and those of this host

    @classmethod
    def of(cls, names: Iterable[str], origins: Iterable[str] = ()) -> Callers:
        """This machine's name is one of the names, and so is the host of each origin: a proxy may pass that on."""
        origins = frozenset(origins)
        every = {*names, socket.gethostname(), *(_name(_netloc(origin)) or "" for origin in origins)}
        return cls(frozenset(name.lower() for name in every if name), origins)

    def call_it_right(self, hosts: Iterable[str]) -> bool:
        """Whether each Host is one of this server's; none is, too, since every browser tells one."""
        return all(self._is_own(_name(host)) for host in hosts)

    def may_call(self, origins: Iterable[str], hosts: Iterable[str]) -> bool:
        """Only browsers tell an origin; a page that came from this very server tells what it called it as Host."""
        own = {host.lower() for host in hosts if self._is_own(_name(host))}
        return all(origin in self.origins or _is_of_this_host(origin) or _netloc(origin) in own for origin in origins)

    def _is_own(self, name: str | None) -> bool:
        return name is not None and (name == "localhost" or name in self.names or _address(name) is not None)


def _name(host: str) -> str | None:
    """Without the port; None: no host at all."""
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
