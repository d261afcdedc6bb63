from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.interface import BadTopology, Topology
from architectures.plan1 import FirstCopies, Plan1


@given(st.data(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 12))
def test_of_all_copies_exactly_the_first_of_each_message_passes_in_order(
    data: st.DataObject, partitions: int, sources: int, messages: int
) -> None:
    # Each partition holds every source's messages in order; how the partitions interleave is anybody's guess.
    logs = {(p, s): list(range(1, messages + 1)) for p in range(partitions) for s in range(sources)}
    passed: dict[int, list[int]] = {source: [] for source in range(sources)}
    first_copies = FirstCopies()
    while logs:
        partition, source = data.draw(st.sampled_from(sorted(logs)))
        waiting = logs[(partition, source)]
        if not waiting:
            del logs[(partition, source)]
            continue
        number = waiting.pop(0)
        if first_copies.is_first(bytes([source]), number):
            passed[source].append(number)
    for numbers in passed.values():
        assert numbers == list(range(1, messages + 1))
        assert all(a < b for a, b in pairwise(numbers))


def test_fewer_partitions_than_gateways_is_refused_with_the_number_to_use() -> None:
    with pytest.raises(BadTopology, match="use --partitions 4 or more"):
        Plan1.check(Topology(run_id="r", gateways=4, partitions=3))


@pytest.mark.parametrize("partitions", [None, 4, 9])
def test_a_partition_per_gateway_or_more_is_accepted(partitions: int | None) -> None:
    Plan1.check(Topology(run_id="r", gateways=4, partitions=partitions))
