"""Leases in NATS: a key for each place, in a bucket whose keys expire. The server must have JetStream."""

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
    """The server does not have JetStream; the text says what to do, for the user."""


@contextlib.asynccontextmanager
async def nats_leases(url: str, name: str, places: int, lease_s: float = LEASE_S) -> AsyncIterator[NatsLeases]:
    """Connect, and yield the leases; raises NoJetStream. The last gateway that leaves deletes the bucket."""
    address = NatsAddress.parse(url)
    client = await nats.connect(
        address.servers,
        **address.proof,
        name=name,
        connect_timeout=ANSWER_MAX_S,
        reconnect_time_wait=COME_BACK_EVERY_S,
        max_reconnect_attempts=-1,
        error_cb=_ignore_problem,
    )
    leases = NatsLeases(client.jetstream(timeout=ANSWER_MAX_S), bucket_of(name), places, lease_s)
    try:
        await leases.open()
        yield leases
        await leases.clear()
    finally:
        await client.close()


async def _ignore_problem(_problem: Exception) -> None:
    """Ignore problems of a connection that the client is restoring; requests meanwhile fail with their own errors."""


def bucket_of(name: str) -> str:
    """Return the name of the bucket; it must not contain dots."""
    return name.replace(".", "_")


class NatsLeases:
    """A LeaseStore in a bucket of JetStream's key-value store; call `open` first."""

    def __init__(self, stream: JetStreamContext, bucket: str, places: int, lease_s: float) -> None:
        self._lease_s = lease_s
        self._stream = stream
        self._name = bucket
        self._places = places
        self._bucket: KeyValue

    async def open(self) -> None:
        """Create the bucket if it does not exist; raises NoJetStream or StoreAway."""
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
        """Delete the bucket if no gateway holds a place; a gateway that is just arriving creates it again."""
        with contextlib.suppress(StoreAway, Error, OSError):
            if not await self.holders():
                await self._stream.delete_key_value(self._name)

    async def acquire(self, place: int, holder: Holder) -> bool:
        try:
            await self._bucket.create(str(place), encoded(holder))
        except KeyWrongLastSequenceError:
            return False
        except NoStreamResponseError:
            await self.open()  # the server was restarted and has lost the bucket
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
        """Return the revision of the lease if it is this holder's, else None."""
        entry = await self._entry(place)
        holder_now = None if entry is None else decoded(entry.value)
        if entry is None or holder_now is None or holder_now.token != holder.token:
            return None
        return entry.revision

    async def _entry(self, place: int) -> KeyValue.Entry | None:
        try:
            return await self._bucket.get(str(place))
        except KeyNotFoundError:
            return None
        except (NotFoundError, NoRespondersError):  # the bucket is gone: the server was restarted
            await self.open()
            return None
        except (Error, OSError) as problem:
            raise _away(problem) from problem

    async def holders(self) -> Mapping[int, Holder]:
        entries = {place: await self._entry(place) for place in range(self._places)}
        by_place = {place: decoded(entry.value) for place, entry in entries.items() if entry is not None}
        return {place: holder for place, holder in by_place.items() if holder is not None}


def _away(problem: BaseException) -> StoreAway:
    return StoreAway(f"NATS does not answer ({problem or type(problem).__name__})")
