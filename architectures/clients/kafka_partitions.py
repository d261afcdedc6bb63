"""The partition function: which partition a room's messages are in, for gateways, routes and tests."""

from __future__ import annotations

import zlib


def partition_of(room: str, partitions: int) -> int:
    """Return the CRC32 of the room's UTF-8 bytes, modulo the number of partitions.

    It is the same as librdkafka's `consistent` partitioner. Java's default is murmur2, which would put a room into
    another partition, so every producer here names the partition instead of letting its client choose.
    """
    return zlib.crc32(room.encode()) % partitions
