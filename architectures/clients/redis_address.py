"""The address of Redis: one server, the master that sentinels name, or the nodes of a cluster.

    redis://host:6379/0                                    rediss:// with TLS
    redis+sentinel://host1:26379,host2:26379/mymaster/0    the server that these sentinels name as the master `mymaster`
    redis+cluster://host1:6379,host2:6379                  any of these nodes: a cluster forwards messages to all nodes

There may be a user name before the hosts, and after `?` some of redis-py's options, such as
?ssl_ca_certs=/etc/ca.pem: see OPTIONS. Other options of redis-py would make runs incomparable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote

from architectures.clients.address import NO_LOGIN, BadAddress, HostPort, Login, Url, parse_hosts

REDIS_PORT, SENTINEL_PORT = 6379, 26379
MUST_BE = "it must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://"
DATABASE_MAX = 2**31 - 1
SECONDS_MAX = 3600.0
# chatbench adds this option itself. Users must not, because records show what users write.
SENTINEL_PASSWORD = "sentinel_password"  # noqa: S105 - the name of an option, not a password


class Kind(Enum):
    """The kind of deployment, as it is written after the + of the scheme."""

    SERVER = ""
    SENTINELS = "sentinel"
    CLUSTER = "cluster"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError
    return seconds


def _yes_or_no(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text) or not text.isprintable():
            raise ValueError
        return text

    return parse


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise ValueError
    return int(text)


def _one_of(*known: int) -> Callable[[str], int]:
    return lambda text: known[known.index(_number(text))]


@dataclass(frozen=True, slots=True)
class _Option:
    parse: Callable[[str], Any]  # raises ValueError or LookupError
    must_be: str


SECONDS = _Option(_seconds, f"seconds, up to {SECONDS_MAX:g}")
YES_OR_NO = _Option(_yes_or_no, "true or false")
A_PATH = _Option(_matching(".+"), "a path")
OPTIONS: Mapping[str, _Option] = {
    "client_name": _Option(_matching("[!-~]+"), "a name in ASCII, without spaces"),
    "protocol": _Option(_one_of(2), "2, the version that chatbench uses"),
    "socket_connect_timeout": SECONDS,
    "socket_keepalive": YES_OR_NO,
    "socket_timeout": SECONDS,
    "ssl_ca_certs": A_PATH,
    "ssl_ca_path": A_PATH,
    "ssl_cert_reqs": _Option(_matching("none|optional|required"), "none, optional or required"),
    "ssl_certfile": A_PATH,
    "ssl_check_hostname": YES_OR_NO,
    "ssl_ciphers": _Option(_matching("[!-~]+"), "a list of ciphers in OpenSSL's format"),
    "ssl_keyfile": A_PATH,
    "ssl_min_version": _Option(_one_of(771, 772), "771 for TLS 1.2, or 772 for TLS 1.3"),
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address; redis_pool.py connects to it."""

    nodes: tuple[HostPort, ...]  # the sentinels, if the kind is SENTINELS
    kind: Kind = Kind.SERVER
    tls: bool = False
    login: Login = NO_LOGIN
    master: str | None = None  # the name that the sentinels know it by
    database: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)  # redis-py's options for every connection
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> RedisAddress:
        """Parse an address; raises BadAddress."""
        url = Url.parse(text, MUST_BE)
        scheme, _, suffix = url.scheme.partition("+")
        if scheme not in {"redis", "rediss"} or url.scheme.endswith("+") or suffix not in [kind.value for kind in Kind]:
            raise BadAddress(MUST_BE)
        kind = Kind(suffix)
        nodes = parse_hosts(url.hosts, SENTINEL_PORT if kind is Kind.SENTINELS else REDIS_PORT)
        if kind is Kind.SERVER and len(nodes) > 1:
            raise BadAddress(
                "it names several hosts; write redis+cluster:// before the nodes of a cluster, "
                "and redis+sentinel:// before sentinels"
            )
        parameters = dict(url.query)
        sentinel_password = parameters.pop(SENTINEL_PASSWORD, None) if kind is Kind.SENTINELS else None
        master, database = _path(kind, url.path, parameters.pop("db", None))
        tls = scheme == "rediss"
        return cls(nodes, kind, tls, url.login, master, database, _options(parameters, tls=tls), sentinel_password)

    def __str__(self) -> str:
        """Return the whole URL, including its secrets."""
        suffix = f"+{self.kind.value}" if self.kind.value else ""
        path = "" if self.kind is Kind.CLUSTER else f"/{self.database}"
        if self.master is not None:
            path = f"/{self.master}{path}"
        parameters = {name: str(value) for name, value in self.options.items()}
        if self.sentinel_password is not None:
            parameters[SENTINEL_PASSWORD] = self.sentinel_password
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in parameters.items())
        hosts = ",".join(map(str, self.nodes))
        return f"redis{'s' if self.tls else ''}{suffix}://{self.login}{hosts}{path}{'?' if query else ''}{query}"


def _path(kind: Kind, path: str, parameter: str | None) -> tuple[str | None, int]:
    """Return the master's name, if there are sentinels, and the database, which is in the path or in ?db=."""
    master, named = None, path.removeprefix("/")
    if kind is Kind.SENTINELS:
        master, _, named = named.partition("/")
        if not re.fullmatch("[A-Za-z0-9._-]+", master):  # the characters that Redis allows
            raise BadAddress("sentinels need the master's name after the hosts: redis+sentinel://HOST,HOST/mymaster")
    if named and parameter is not None:
        raise BadAddress("it names its database twice")
    written = named or ("0" if parameter is None else parameter)
    try:
        database = _number(written)
    except ValueError as problem:
        raise BadAddress(f"its database is {written!r}, and must be a number") from problem
    if database > DATABASE_MAX or (kind is Kind.CLUSTER and database):
        most = "a cluster has only database 0" if kind is Kind.CLUSTER else f"the last there can be is {DATABASE_MAX}"
        raise BadAddress(f"its database is {database}, and {most}")
    return master, database


def _options(parameters: Mapping[str, str], *, tls: bool) -> dict[str, Any]:
    options = {}
    for name, value in parameters.items():
        option = OPTIONS.get(name)
        if option is None:
            raise BadAddress(f"{name} is not among the options that it may set after ?: {', '.join(['db', *OPTIONS])}")
        if name.startswith("ssl_") and not tls:
            raise BadAddress(f"{name} is for TLS; write rediss instead of redis, or leave it out")
        try:
            options[name] = option.parse(value)
        except (ValueError, LookupError) as problem:
            raise BadAddress(f"its {name} is {value!r}, and must be {option.must_be}") from problem
    return options
