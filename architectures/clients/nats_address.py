"""Where NATS is: nats://host:4222, or tls://host:4222; several servers with commas between them.

A name before the hosts and its password, or, as NATS has it, a name without one: then it is a token.
"""

from __future__ import annotations

from dataclasses import dataclass

from architectures.clients.address import NOBODY, BadAddress, HostPort, Login, Url, parse_hosts

NATS_PORT = 4222
MUST_BE = "it must be nats://HOST:PORT, or tls://HOST:PORT"


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """`parse` it; then `servers`, and `proof` of who comes, as nats-py wants them."""

    hosts: tuple[HostPort, ...]
    tls: bool
    login: Login = NOBODY

    @classmethod
    def parse(cls, text: str) -> NatsAddress:
        """Raises BadAddress."""
        url = Url.parse(text, MUST_BE)
        if url.scheme not in {"nats", "tls"}:
            raise BadAddress(MUST_BE)
        if url.path not in {"", "/"} or url.query:
            raise BadAddress("nothing may follow its hosts")
        if url.login.user is None and url.login.password is not None:
            raise BadAddress("a password without a name stands before its hosts")
        return cls(parse_hosts(url.hosts, NATS_PORT), url.scheme == "tls", url.login)

    def __str__(self) -> str:
        """The whole URL, its secrets too."""
        return f"{self._scheme}://{self.login}{','.join(map(str, self.hosts))}"

    @property
    def servers(self) -> list[str]:
        return [f"{self._scheme}://{host}" for host in self.hosts]

    @property
    def proof(self) -> dict[str, str]:
        user, password = self.login.user, self.login.password
        if user is None:
            return {}
        return {"token": user} if password is None else {"user": user, "password": password}

    @property
    def _scheme(self) -> str:
        return "tls" if self.tls else "nats"
