"""What was read from a topic, dealt out to a few takers at once, so that one is thought about while PostgreSQL works on
another.

Rules
1. A partition's records are taken in order, and by one taker at a time.
2. A hand is as large as a transaction should be, or as large as gives each free taker its share, if that is less.
3. More is read as long as there is nothing for the next free taker: aiokafka gives out one partition's records before
   the next one's, so that a batch as it is read may well be of one partition alone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from aiokafka import ConsumerRecord

from todoke_shared.errors import for_the_log

logger = logging.getLogger("todoke.consume")

MAX_BATCH = 500
MIN_PARTED = 100
"""A transaction's own cost is shared by too few records in a smaller hand."""
MOST_WAITING = 10 * MAX_BATCH
"""Records in memory beside those in hand: more than a fetch brings of one partition (1 MiB), so that another's come up
behind them."""

Place = tuple[str, int]
"""(topic, partition)"""
Hand = list[ConsumerRecord]


class Waiting:
    """Records that wait, by partition, and the partitions that somebody has in hand."""

    def __init__(self) -> None:
        self._waiting: dict[Place, deque[ConsumerRecord]] = {}
        self._in_hand: set[Place] = set()

    def put(self, records: Iterable[ConsumerRecord]) -> None:
        """Behind what waits already."""
        for record in records:
            self._waiting.setdefault((record.topic, record.partition), deque()).append(record)

    def deal(self, takers: int) -> Hand:
        """A hand for one of so many free takers; empty when there is none. `settle` it once it is taken."""
        free = sorted(self._free(), key=lambda place: len(self._waiting[place]), reverse=True)
        share = -(-sum(len(self._waiting[place]) for place in free) // takers)
        room = min(max(share, MIN_PARTED), MAX_BATCH)
        hand: Hand = []
        for place in free:
            queue = self._waiting[place]
            hand += [queue.popleft() for _ in range(min(len(queue), room - len(hand)))]
            self._in_hand.add(place)
            if not queue:
                del self._waiting[place]
            if len(hand) == room:
                break
        return hand

    def settle(self, hand: Hand) -> None:
        """Its partitions may be dealt from again."""
        self._in_hand -= {(record.topic, record.partition) for record in hand}

    @property
    def has_a_hand(self) -> bool:
        """Whether there is something to deal."""
        return bool(self._free())

    def __len__(self) -> int:
        """How many records wait."""
        return sum(map(len, self._waiting.values()))

    def _free(self) -> list[Place]:
        return [place for place in self._waiting if place not in self._in_hand]


class Dealer:
    """Gives what is `put` to `take`, at most `takers` hands at a time. `take` tries again by itself: one that raises is
    told of, and passed."""

    def __init__(self, take: Callable[[Hand], Awaitable[None]], takers: int) -> None:
        self._take = take
        self._takers = takers
        self._waiting = Waiting()
        self._taking: set[asyncio.Future[None]] = set()
        self._stopped = False

    async def put(self, records: Iterable[ConsumerRecord]) -> None:
        """Return as soon as more is wanted."""
        self._waiting.put(records)
        self._deal()
        while not self._stopped and (len(self._waiting) >= MOST_WAITING or self._waiting.has_a_hand):
            await asyncio.wait(self._taking, return_when=asyncio.FIRST_COMPLETED)

    def stop(self) -> None:
        """Deal no more: what waits, and what is still put, is left for whoever reads the topic next."""
        self._stopped = True

    async def drain(self) -> None:
        """Return when everything has been taken; once stopped, when nothing is in hand any more."""
        while self._taking:
            await asyncio.wait(self._taking)

    def _deal(self) -> None:
        while not self._stopped and (free := self._takers - len(self._taking)) and (hand := self._waiting.deal(free)):
            task = asyncio.ensure_future(self._take(hand))
            self._taking.add(task)
            task.add_done_callback(partial(self._taken, hand))

    def _taken(self, hand: Hand, task: "asyncio.Future[None]") -> None:
        self._taking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%d records were given up (%s)", len(hand), for_the_log(error))
        self._waiting.settle(hand)
        self._deal()
