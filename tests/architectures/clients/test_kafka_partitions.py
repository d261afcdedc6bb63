from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.clients.kafka_partitions import partition_of


@pytest.mark.parametrize(
    ("room", "crc32"),
    [
        # The check value of CRC-32/ISO-HDLC in the catalogue of CRC algorithms, and others that zlib's crc32 gives.
        ("123456789", 0xCBF43926),
        ("", 0x00000000),
        ("a", 0xE8B7BE43),
        ("The quick brown fox jumps over the lazy dog", 0x414FA339),
    ],
)
def test_it_is_crc32_modulo_the_partitions(room: str, crc32: int) -> None:
    assert partition_of(room, 2**32) == crc32
    assert partition_of(room, 7) == crc32 % 7


@given(st.text(max_size=200), st.integers(1, 1000))
def test_every_room_has_one_partition_in_range(room: str, partitions: int) -> None:
    assert 0 <= partition_of(room, partitions) < partitions


def test_many_rooms_are_spread_evenly() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[partition_of(f"group-{number}", 8)] += 1
    assert max(counts) < 1.15 * min(counts)
