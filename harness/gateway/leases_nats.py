"""Leases in NATS: a key for each place in a bucket whose keys end by themselves. It takes a server with JetStream."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

import nats
from nats.errors import Error, NoRespondersError
from nats.js.api import StorageType
from nats.js.client import JetStreamContext
from nats.js.errors import (
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)
from nats.js.kv import KeyValue

from architectures.clients.nats import ANSWER_MAX_S, COME_BACK_EVERY_S
from architectures.clients.nats_address import NatsAddress
from harness.gateway.leases import LEASE_S, Holder, StoreAway, decoded, encoded


class NoJetStream(Exception):
    """The server keeps nothing; the text says what to do, for the user."""


@contextlib.asynccontextmanager
async def nats_leases(url: str, name: str, places: int, lease_s: float = LEASE_S) -> AsyncIterator[NatsLeases]:
    """Raises NoJetStream."""
    address = NatsAddress.parse(url)
    client = await nats.connect(
        address.servers,
        **address.proof,
        name=name,
        connect_timeout=ANSWER_MAX_S,
        reconnect_time_wait=COME_BACK_EVERY_S,
        max_reconnect_attempts=-1,
        error_cb=_passed_over,
    )
    leases = NatsLeases(client.jetstream(timeout=ANSWER_MAX_S), bucket_of(name), places, lease_s)
    try:
        await leases.open()
        yield leases
        await leases.clear()
    finally:
        await client.close()


async def _passed_over(_problem: Exception) -> None:
    """Of a connection that the client is mending; what is asked meanwhile fails by itself."""


def bucket_of(name: str) -> str:
    """A bucket's name has no dots."""
    return name.replace(".", "_")


class NatsLeases:
    """`open` it first."""

    def __init__(self, stream: JetStreamContext, bucket: str, places: int, lease_s: float) -> None:
        self._lease_s = lease_s
        self._stream = stream
        self._name = bucket
        self._places = places
        self._bucket: KeyValue

    async def open(self) -> None:
        """Make the bucket, if it is not there; raises NoJetStream, or StoreAway."""
        try:
            self._bucket = await self._stream.create_key_value(
                bucket=self._name, ttl=self._lease_s, storage=StorageType.MEMORY
            )
        except (ServiceUnavailableError, NoRespondersError, NoStreamResponseError) as problem:
            raise NoJetStream(
                "gateways of a fleet agree on their places in NATS's JetStream, and this server has none; "
                "start it with -js, or name all gateways with --peers"
            ) from problem
        except (Error, OSError) as problem:
            raise _away(problem) from problem

    async def clear(self) -> None:
        """Nothing stays at the server when the last of a fleet has left. Whoever comes just then makes it anew."""
        with contextlib.suppress(StoreAway, Error, OSError):
            if not await self.holders():
                await self._stream.delete_key_value(self._name)

    async def acquire(self, place: int, holder: Holder) -> bool:
        try:
            await self._bucket.create(str(place), encoded(holder))
        except KeyWrongLastSequenceError:
            return False
        except NoStreamResponseError:
            await self.open()  # the server has started anew, with nothing it knew
            raise StoreAway("NATS had lost the fleet's leases") from None
        except (Error, OSError) as problem:
            raise _away(problem) from problem
        return True

    async def renew(self, place: int, holder: Holder) -> bool:
        revision = await self._revision(place, holder)
        if revision is None:
            return False
        try:
            await self._bucket.update(str(place), encoded(holder), last=revision)
        except KeyWrongLastSequenceError:
            return False
        except (Error, OSError) as problem:
            raise _away(problem) from problem
        return True

    async def release(self, place: int, holder: Holder) -> None:
        revision = await self._revision(place, holder)
        if revision is not None:
            try:
                await self._bucket.delete(str(place), last=revision)
            except (Error, OSError) as problem:
                raise _away(problem) from problem

    async def _revision(self, place: int, holder: Holder) -> int | None:
        """Of what that holder has said last; None: the place is not its own."""
        entry = await self._entry(place)
        there = None if entry is None else decoded(entry.value)
        return entry.revision if entry is not None and there is not None and there.token == holder.token else None

    async def _entry(self, place: int) -> KeyValue.Entry | None:
        try:
            return await self._bucket.get(str(place))
        except KeyNotFoundError:
            return None
        except (NotFoundError, NoRespondersError):  # the bucket itself: the server has started anew
            await self.open()
            return None
        except (Error, OSError) as problem:
            raise _away(problem) from problem

    async def holders(self) -> Mapping[int, Holder]:
        entries = {place: await self._entry(place) for place in range(self._places)}
        told = {place: decoded(entry.value) for place, entry in entries.items() if entry is not None}
        return {place: holder for place, holder in told.items() if holder is not None}


def _away(problem: BaseException) -> StoreAway:
    return StoreAway(f"NATS does not answer ({problem or type(problem).__name__})")
