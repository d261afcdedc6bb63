"""channels: Django Channels with channels_redis, on uvicorn.

    member -> consumer -> channel layer in Redis -> the consumer of each member of the room

`channel_layer.group_send(...)`. What goes through Redis depends on the layer. `layer=core`, which Channels' own
documentation sets up, has a list for each gateway process and takes from it by BZPOPMIN; a script puts a message on it
once, with the names of all members it is for, and drops it for a member who has `capacity` (100) of them waiting.
`layer=pubsub` publishes to a channel of the group, to which the processes that have members of it are subscribed. An
ack means that Redis has taken the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from architectures.interface import BadTopology, Option, Promises, Requirements, Topology
from peers.interface import AT_MOST_ONCE, Peer, Progress, missing_packages, python_program

LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


class Channels(Peer):
    name: ClassVar[str] = "channels"
    summary: ClassVar[str] = "peer: Django Channels (uvicorn) with channels_redis"
    requires: ClassVar[Requirements] = Requirements(redis=True)
    promises: ClassVar[Promises] = AT_MOST_ONCE
    options: ClassVar[Mapping[str, Option]] = {"layer": "core"}
    scheme: ClassVar[str] = "ws"

    @classmethod
    def missing(cls) -> str | None:
        return missing_packages(cls.name, "channels", "channels_redis", "uvicorn")

    @classmethod
    def check(cls, topology: Topology) -> None:
        super().check(topology)
        if topology.options["layer"] not in LAYERS:
            raise BadTopology(
                f"--arch-set layer={topology.options['layer']} is no layer of channels_redis; use {' or '.join(LAYERS)}"
            )

    @classmethod
    def program(cls, cache: Path, on_progress: Progress) -> Sequence[str]:
        return python_program("peers.channels_gateway")
