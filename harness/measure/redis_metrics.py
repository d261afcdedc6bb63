"""What Redis itself counts: the commands it executed, from INFO commandstats."""

from __future__ import annotations

import msgspec
import redis

from harness.errors import ServiceFailed

# What the harness sends to look, which no architecture caused.
OURS = frozenset({"cmdstat_info", "cmdstat_ping", "cmdstat_client|setinfo", "cmdstat_hello"})


class RedisCounters(msgspec.Struct, frozen=True):
    """Totals since the server started."""

    commands: int

    def since(self, before: RedisCounters) -> RedisCounters:
        return RedisCounters(commands=self.commands - before.commands)


def read_counters(url: str) -> RedisCounters:
    """Raises ServiceFailed if Redis does not answer."""
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as client:
            stats = client.info("commandstats")
    except redis.RedisError as problem:
        raise ServiceFailed(f"the counters of Redis cannot be read ({problem}); see its log in the record") from problem
    return RedisCounters(commands=sum(int(stat["calls"]) for name, stat in stats.items() if name not in OURS))
