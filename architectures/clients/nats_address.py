"""The address of NATS: nats://host:4222 or tls://host:4222, with commas between several servers.

Before the hosts, there may be a user name and a password, or a token: NATS takes a name without a password for a token.
"""

from __future__ import annotations

from dataclasses import dataclass

from architectures.clients.address import NO_LOGIN, BadAddress, HostPort, Login, Url, parse_hosts

NATS_PORT = 4222
MUST_BE = "it must be nats://HOST:PORT, or tls://HOST:PORT"


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """A parsed address. `servers` and `proof` (the credentials) have the form that nats-py expects."""

    hosts: tuple[HostPort, ...]
    tls: bool
    login: Login = NO_LOGIN

    @classmethod
    def parse(cls, text: str) -> NatsAddress:
        """Parse an address; raises BadAddress."""
        url = Url.parse(text, MUST_BE)
        if url.scheme not in {"nats", "tls"}:
            raise BadAddress(MUST_BE)
        if url.path not in {"", "/"} or url.query:
            raise BadAddress("nothing may follow its hosts")
        if url.login.user is None and url.login.password is not None:
            raise BadAddress("it has a password without a user name")
        return cls(parse_hosts(url.hosts, NATS_PORT), url.scheme == "tls", url.login)

    def __str__(self) -> str:
        """Return the whole URL, including its secrets."""
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
