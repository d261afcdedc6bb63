"""channels: Django Channels with channels_redis, on uvicorn.

    member -> consumer -> channel layer in Redis -> the consumer of each member of the room

It sends with `channel_layer.group_send(...)`, and what goes through Redis depends on the layer. With `layer=core`,
which Channels' documentation uses, Redis holds the members of each group, and a queue for each gateway process. The
sender reads the whole group, and a script puts the message once into the queue of each process, with the names of the
members there. A queue that already holds 100 messages drops new ones. `layer=pubsub` publishes to a channel of the
group, to which the processes with members of it are subscribed. An ack means that Redis has accepted the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from architectures.interface import BadTopology, Option, Promises, Requirements, Topology
from peers.interface import AT_MOST_ONCE, OnProgress, Peer, missing_packages, package_versions, python_program

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
    def versions(cls) -> Mapping[str, str]:
        return package_versions("channels", "channels-redis", "django", "uvicorn")

    @classmethod
    def check(cls, topology: Topology) -> None:
        super().check(topology)
        if topology.options["layer"] not in LAYERS:
            raise BadTopology(
                f"--arch-set layer={topology.options['layer']} is not a layer of channels_redis; "
                f"use {' or '.join(LAYERS)}"
            )

    @classmethod
    def program(cls, cache: Path, on_progress: OnProgress) -> Sequence[str]:
        return python_program("peers.channels.gateway")
