"""What was read is taken side by side: nothing is lost, doubled or put out of order by that."""

import asyncio
import logging
import random
from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.kafka.dealing import MAX_BATCH, MIN_PARTED, MOST_WAITING, Dealer, Hand, Waiting


def read(partitions: Iterable[int], first: int = 0) -> list[ConsumerRecord]:
    """A record for each, in the order given."""
    return [
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
        for offset, partition in enumerate(partitions, first)
    ]


def partitions_of(hand: Hand) -> set[int]:
    """Whose records these are."""
    return {record.partition for record in hand}


class Takers:
    """Each hand is held until it is let go."""

    def __init__(self, takers: int) -> None:
        self.dealer = Dealer(self._take, takers)
        self.held: list[tuple[Hand, asyncio.Event]] = []

    async def _take(self, hand: Hand) -> None:
        let_go = asyncio.Event()
        self.held.append((hand, let_go))
        await let_go.wait()

    async def let_go(self, number: int) -> None:
        """The hand that was dealt as this one is done."""
        self.held[number][1].set()
        await settled()

    async def let_all_go(self) -> None:
        """All hands, and those that are dealt then."""
        for number, _ in enumerate(self.held):
            await self.let_go(number)
        await self.dealer.drain()


async def settled() -> None:
    """Whatever can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


@given(
    st.lists(st.lists(st.integers(0, 11), max_size=300), min_size=1, max_size=6),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_every_record_is_dealt_once_and_each_partition_in_order(
    batches: list[list[int]], takers: int, rng: random.Random
) -> None:
    """However reading and taking alternate; no partition is in two hands at once, and no hand is too large."""
    waiting, held, dealt, number = Waiting(), list[Hand](), list[ConsumerRecord](), 0
    while batches or held or waiting:
        if batches and rng.random() < 0.5:
            waiting.put(read(batches[0], number))
            number += len(batches.pop(0))
        while len(held) < takers and (hand := waiting.deal(takers - len(held))):
            assert len(hand) <= MAX_BATCH
            assert not any(partitions_of(hand) & partitions_of(other) for other in held)
            held.append(hand)
            dealt += hand
        if held and rng.random() < 0.5:
            waiting.settle(held.pop(rng.randrange(len(held))))
    assert sorted(record.offset for record in dealt) == list(range(number))
    for partition in range(12):
        offsets = [record.offset for record in dealt if record.partition == partition]
        assert offsets == sorted(offsets)


def test_few_records_stay_together() -> None:
    """A transaction's own cost would be shared by too few."""
    waiting = Waiting()
    waiting.put(read([0, 1] * (MIN_PARTED // 2)))
    assert len(waiting.deal(2)) == MIN_PARTED
    waiting.put(read([2, 3] * MIN_PARTED))
    assert len(waiting.deal(2)) == MIN_PARTED


def test_free_takers_share_what_there_is() -> None:
    """The largest partition is a hand by itself, the others are another."""
    waiting = Waiting()
    waiting.put(read([0] * 100 + [1] * 50 + [2] * 50))
    assert [partitions_of(waiting.deal(2)), partitions_of(waiting.deal(1))] == [{0}, {1, 2}]


async def test_reading_goes_on_until_there_is_something_for_the_next_taker() -> None:
    """One partition alone keeps one taker busy: what comes behind it in the fetch is another's."""
    takers = Takers(2)
    await takers.dealer.put(read([0] * 2 * MAX_BATCH))
    await settled()
    assert [len(hand) for hand, _ in takers.held] == [MAX_BATCH], "the rest of a partition waits for its first"
    await takers.dealer.put(read([1] * MAX_BATCH))
    await settled()
    assert [partitions_of(hand) for hand, _ in takers.held] == [{0}, {1}]

    reading = asyncio.create_task(takers.dealer.put(read([2] * MAX_BATCH)))
    await settled()
    assert not reading.done(), "both are busy, and there is something for whoever is free first"
    await takers.let_go(1)
    assert reading.done() and partitions_of(takers.held[2][0]) == {2}
    await takers.let_go(0)
    assert takers.held[3][0][0].offset == MAX_BATCH, "a partition goes on where it was"
    await takers.let_all_go()


async def test_what_waits_has_a_bound() -> None:
    """Somebody whose batch PostgreSQL does not take keeps no more in memory."""
    takers = Takers(2)
    reading = asyncio.create_task(takers.dealer.put(read([0] * (MOST_WAITING + MAX_BATCH))))
    await settled()
    assert not reading.done()
    await takers.let_go(0)
    assert reading.done()
    await takers.let_all_go()
    assert sum(len(hand) for hand, _ in takers.held) == MOST_WAITING + MAX_BATCH


async def test_once_stopped_what_is_in_hand_ends_and_nothing_else_begins() -> None:
    """Reading is not held up either, so that a service can leave."""
    takers = Takers(1)
    reading = asyncio.create_task(takers.dealer.put(read([0] * MAX_BATCH + [1])))
    await settled()
    takers.dealer.stop()
    ending = asyncio.create_task(takers.dealer.drain())
    await settled()
    assert not ending.done(), "a batch is in hand"
    await takers.let_go(0)
    assert ending.done() and reading.done()
    await takers.dealer.put(read([1] * MAX_BATCH))
    await settled()
    assert len(takers.held) == 1


async def test_a_hand_that_fails_is_told_of_and_the_next_is_dealt(caplog: pytest.LogCaptureFixture) -> None:
    """Its taker is free again; and the end is reached once nothing is in hand."""
    taken: list[Hand] = []

    async def take(hand: Hand) -> None:
        taken.append(hand)
        if len(taken) == 1:
            raise RuntimeError("customer:42")

    dealer = Dealer(take, 1)
    with caplog.at_level(logging.ERROR):
        await dealer.put(read([0] * 2 * MAX_BATCH))
        await dealer.drain()
    assert [hand[0].offset for hand in taken] == [0, MAX_BATCH]
    assert caplog.messages == [f"{MAX_BATCH} records were given up (RuntimeError)"]
