"""What Redis counts itself: the commands it executed, from INFO commandstats, and its bytes, from INFO stats."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.core.errors import ServiceFailed
from harness.core.units import per

# Commands that reading the counters takes: no architecture caused them.
OURS = frozenset({"cmdstat_info", "cmdstat_ping", "cmdstat_client|setinfo", "cmdstat_hello"})


class RedisPerMessage(msgspec.Struct, frozen=True):
    """What Redis did for each message. None: not measured."""

    commands_per_message: float | None = None
    bytes_in_per_message: float | None = None
    bytes_out_per_message: float | None = None


class RedisCounters(msgspec.Struct, frozen=True):
    """Totals of all clients since the server started."""

    commands: int
    bytes_in: int  # reading the counters adds some kilobytes
    bytes_out: int

    def since(self, before: RedisCounters) -> RedisCounters:
        return RedisCounters(
            commands=self.commands - before.commands,
            bytes_in=self.bytes_in - before.bytes_in,
            bytes_out=self.bytes_out - before.bytes_out,
        )

    def per_message(self, sent: int) -> RedisPerMessage:
        """The counters divided by the messages sent."""
        return RedisPerMessage(
            commands_per_message=per(self.commands, sent),
            bytes_in_per_message=per(self.bytes_in, sent),
            bytes_out_per_message=per(self.bytes_out, sent),
        )


def read_counters(urls: Iterable[str]) -> RedisCounters:
    """The totals of all these servers together; raises ServiceFailed if one does not answer."""
    each = [_read(url) for url in urls]
    return RedisCounters(
        commands=sum(counters.commands for counters in each),
        bytes_in=sum(counters.bytes_in for counters in each),
        bytes_out=sum(counters.bytes_out for counters in each),
    )


def _read(url: str) -> RedisCounters:
    import redis  # noqa: PLC0415 - it takes 0.2 s, and many runs have no Redis

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
