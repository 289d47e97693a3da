"""A large batch is taken in parts, side by side: nothing is lost, doubled or put out of order by that."""

from collections.abc import Iterable

from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.kafka.consume import MIN_PARTED, _parts


def batch_of(partitions: Iterable[int]) -> tuple[ConsumerRecord, ...]:
    """A record for each, in the order given."""
    return tuple(
        ConsumerRecord(
            topic="t",
            partition=partition,
            offset=offset,
            timestamp=0,
            timestamp_type=0,
            key=None,
            value=b"{}",
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=2,
            headers=(),
        )
        for offset, partition in enumerate(partitions)
    )


@given(st.lists(st.integers(0, 11), min_size=1, max_size=400), st.integers(1, 4))
def test_parts_are_the_batch_each_partition_whole_and_in_order(partitions: list[int], number: int) -> None:
    """Every record is in one part, a partition's in one and the same, as they came."""
    batch = batch_of(partitions)
    parts = _parts(batch, number)
    assert sorted(record.offset for part in parts for record in part) == list(range(len(batch)))
    homes = [{record.partition for record in part} for part in parts]
    assert sum(map(len, homes)) == len(set(partitions))
    for part in parts:
        for partition in {record.partition for record in part}:
            offsets = [record.offset for record in part if record.partition == partition]
            assert offsets == sorted(offsets)
    assert 1 <= len(parts) <= number and all(parts)


def test_a_small_batch_stays_whole() -> None:
    """A transaction's own cost would be shared by too few."""
    assert len(_parts(batch_of([0, 1] * (MIN_PARTED // 2 - 1)), 2)) == 1
    assert len(_parts(batch_of([0, 1] * (MIN_PARTED // 2)), 2)) == 2


def test_parts_are_of_about_one_size() -> None:
    """The largest partition has a part to itself, the others share."""
    assert sorted(map(len, _parts(batch_of([0] * 100 + [1] * 50 + [2] * 50), 2))) == [100, 100]
