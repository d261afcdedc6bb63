"""What Redis itself counts: the commands it executed, from INFO commandstats, and its bytes, from INFO stats."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import redis

from harness.core.errors import ServiceFailed

# What the harness sends to look, which no architecture caused.
OURS = frozenset({"cmdstat_info", "cmdstat_ping", "cmdstat_client|setinfo", "cmdstat_hello"})


class RedisCounters(msgspec.Struct, frozen=True):
    """Totals since the server started."""

    commands: int
    bytes_in: int  # of all clients; a look of ours is some kilobytes of them
    bytes_out: int

    def since(self, before: RedisCounters) -> RedisCounters:
        return RedisCounters(
            commands=self.commands - before.commands,
            bytes_in=self.bytes_in - before.bytes_in,
            bytes_out=self.bytes_out - before.bytes_out,
        )


def read_counters(urls: Iterable[str]) -> RedisCounters:
    """Of all these servers together; raises ServiceFailed if one does not answer."""
    each = [_read(url) for url in urls]
    return RedisCounters(
        commands=sum(counters.commands for counters in each),
        bytes_in=sum(counters.bytes_in for counters in each),
        bytes_out=sum(counters.bytes_out for counters in each),
    )


def _read(url: str) -> RedisCounters:
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as client:
            stats, net = client.info("commandstats"), client.info("stats")
    except redis.RedisError as problem:
        raise ServiceFailed(f"the counters of Redis cannot be read ({problem}); see its log in the record") from problem
    return RedisCounters(
        commands=sum(int(stat["calls"]) for name, stat in stats.items() if name not in OURS),
        bytes_in=int(net["total_net_input_bytes"]),
        bytes_out=int(net["total_net_output_bytes"]),
    )
