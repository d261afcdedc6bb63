"""The one partition function: which partition a room's messages are in, for gateways, routing and tests alike."""

from __future__ import annotations

import zlib


def partition_of(room: str, partitions: int) -> int:
    """CRC32 of the room's UTF-8 bytes, modulo the number of partitions.

    The same as librdkafka's `consistent` partitioner. Java's default is murmur2: a producer that let its own client
    choose would put the room into another partition and split it, so every producer here names the partition.
    """
    return zlib.crc32(room.encode()) % partitions
