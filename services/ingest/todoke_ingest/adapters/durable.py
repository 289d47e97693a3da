"""What ingest says 2xx on: Kafka's acknowledgement, or, while Kafka is away, a place in PostgreSQL's spool.

What comes in while a group is on its way goes out together as the next one (a group commit): the busier, the cheaper.

May block: for the deadline on Kafka, then for the spool's on PostgreSQL. May lose: nothing that it has returned from.
May repeat: records given up on Kafka may be written there after all, and again from the spool; readers recognise an
event by its id. Order: while this process spools, all that it takes goes through the spool, so that one customer's
events keep theirs; between processes only the events' own time tells.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.ingest")
IDLE_SECONDS = 1.0
"""How often an ingest that has nothing to do with the spool looks whether another, now gone, has left something."""
MANY = 1000
"""A spool that gives so many at once is far from empty."""
GROUP_BYTES = 4_000_000
"""Of values that go out together: what Kafka acknowledges well within the deadline, so that a rush of large batches is
not taken for its absence. A larger request goes alone."""
HOLD_SECONDS = 0.5
"""How long requests may be held while the last records leave; then they go into the spool again."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Between two such holds, in seconds: longer each time that one was in vain."""

_Waiting = tuple[Sequence[Outgoing], "asyncio.Future[None]"]


class Spool(Protocol):
    """Where records wait for Kafka's return."""

    async def put(self, records: Sequence[Outgoing]) -> None:
        """Return once they are durable. SlowDownError when there is no room, or nobody to keep them."""

    async def drain_some(self) -> int:
        """Bring some to Kafka and tell how many. SlowDownError while it is away."""

    async def waiting(self) -> frozenset[str]:
        """The topics of which records that this ingest has put in, or found there at first, still wait for Kafka."""


class DurablePublisher:
    """Kafka within `seconds`, else the spool; each topic by itself, so that one that takes nothing stops no other."""

    def __init__(self, kafka: Publisher, spool: Spool, *, seconds: float) -> None:
        self._kafka = kafka
        self._spool = spool
        self._seconds = seconds
        self._waiting: list[_Waiting] = []
        self._carrying: asyncio.Task[None] | None = None
        self._spooling: frozenset[str] = frozenset()
        self._puts = 0
        self._may_store = asyncio.Event()
        self._may_store.set()
        self._pause, self._hold_at = SHORTEST_PAUSE, 0.0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once every record is durable. SlowDownError when one may not be."""
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((records, durable))
        if self._carrying is None:
            self._carrying = asyncio.create_task(self._carry_all())
        await durable

    async def follow_spool(self) -> None:
        """A round of the loop that drains the spool and, once that is done, goes back to Kafka directly."""
        if not self._spooling:
            await asyncio.sleep(IDLE_SECONDS)
        drained = MANY
        while drained >= MANY:
            drained = await self._spool.drain_some()
        if self._spooling and time.monotonic() >= self._hold_at:
            await self._go_back()
        elif self._spooling:
            await asyncio.sleep(SHORTEST_PAUSE)

    async def look_behind(self) -> None:
        """Begin by spooling what an earlier life has left there: it goes first."""
        self._spooling = await self._spool.waiting()

    async def _go_back(self) -> None:
        """Let new requests wait while the last of the spool leaves: else, under load, it would never be empty."""
        self._may_store.clear()
        try:
            async with asyncio.timeout(HOLD_SECONDS):
                while not await self._let_go_of_what_has_left():
                    if not await self._spool.drain_some():
                        await asyncio.sleep(0.01)
        except (TimeoutError, SlowDownError):  # into the spool for another round
            self._hold_at = time.monotonic() + self._pause  # or a spool that stands still would hold up everybody
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        finally:
            self._may_store.set()

    async def _let_go_of_what_has_left(self) -> bool:
        """Go back to Kafka with the topics of which nothing waits any more; whether these were all."""
        known = self._spooling  # a topic that joins them during the next line has not been looked for
        back = known - await self._spool.waiting()
        if back and not self._puts:
            self._spooling, self._pause = self._spooling - back, SHORTEST_PAUSE
            logger.warning("the spool has been drained, and Kafka takes %s again", ", ".join(sorted(back)))
        return not self._spooling

    async def flush(self) -> None:
        """Return when all that was given is durable or has been refused."""
        if self._carrying is not None:
            await self._carrying

    async def _carry_all(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = _group(self._waiting)
                await self._carry(together)
        finally:  # cancelled, too: nobody may wait for what nobody carries, and the next one must be carried
            given_up, self._waiting, self._carrying = self._waiting, [], None
            _give_up(given_up)

    async def _carry(self, together: list[_Waiting]) -> None:
        try:
            await self._store([record for records, _ in together for record in records])
        except SlowDownError as error:
            # Who waits behind them would fare no better, and one after another they would wait for ever.
            behind, self._waiting = self._waiting, []
            _give_up([*together, *behind], str(error))
        except asyncio.CancelledError:
            _give_up(together)
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # else it was a task inside Kafka's client that was cancelled, and not this one
        except Exception as error:  # noqa: BLE001 - one request's fault: told to it alone, the others are none the worse
            if len(together) == 1:
                _fail(together[0][1], error)
            for one in together if len(together) > 1 else ():
                await self._carry([one])
        else:
            for _, durable in together:
                if not durable.done():
                    durable.set_result(None)

    async def _store(self, records: Sequence[Outgoing]) -> None:
        by_topic: dict[str, list[Outgoing]] = {}
        for record in records:
            by_topic.setdefault(record.topic, []).append(record)
        if len(by_topic) == 1:
            await self._store_topic(records[0].topic, records)
            return
        results = await asyncio.gather(
            *(self._store_topic(topic, its) for topic, its in by_topic.items()), return_exceptions=True
        )
        for result in results:
            if result is not None:
                raise result

    async def _store_topic(self, topic: str, records: Sequence[Outgoing]) -> None:
        if topic in self._spooling:
            await self._may_store.wait()
        if topic not in self._spooling:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._kafka.publish(records)
                return
            except (TimeoutError, SlowDownError) as error:
                reason = str(error) or f"no acknowledgement within {self._seconds:g} s"
                logger.warning("Kafka does not take %s (%s): it goes into the spool", topic, reason)
                self._spooling |= {topic}
        self._puts += 1
        try:
            await self._spool.put(records)
        finally:
            self._puts -= 1
        metrics.SPOOLED.labels(topic).inc(len(records))


def _group(waiting: list[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Those at the head of the line that go out together, and the others."""
    size = 0
    for place, (records, _) in enumerate(waiting):
        size += sum(len(record.value or b"") for record in records)
        if place and size > GROUP_BYTES:
            return waiting[:place], waiting[place:]
    return waiting, []


def _give_up(waiting: Iterable[_Waiting], reason: str = "what was being written was given up") -> None:
    for _, durable in waiting:
        _fail(durable, SlowDownError(reason))


def _fail(durable: "asyncio.Future[None]", error: Exception) -> None:
    if not durable.done():
        durable.set_exception(error)
