"""Clicks on their way to Kafka, beside the answers: nobody waits for a redirect because Kafka is slow.

May block: nobody. May lose: the clicks in hand, when the process is killed (some milliseconds' worth while Kafka
answers); those beyond MOST_WAITING while nothing takes them, counted in `todoke_clicks_lost_total`; and those still in
hand FLUSH_SECONDS after an orderly stop. May repeat: a click, under the same id.
"""

import asyncio
from collections import deque
from contextlib import suppress

from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.loops import Loops

MOST_WAITING = 10_000
"""Some 10 MB; ten seconds of the busiest broadcast."""
A_BATCH = 500
FLUSH_SECONDS = 3.0


class Clicks:
    """Takes records at once and publishes them in batches, in order. `start` before use, `stop` flushes."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: deque[Outgoing] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._loops = Loops()

    def start(self) -> None:
        """Publish from here on."""
        self._loops.start("clicks", self._publish_some)

    async def stop(self) -> None:
        """Publish what is in hand, for at most FLUSH_SECONDS, and end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._idle.wait()
        await self._loops.stop()
        self._lose(len(self._waiting))
        self._waiting.clear()
        self._idle.set()

    def note(self, record: Outgoing) -> None:
        """Take a record, or count it as lost when there are too many."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose(1)
            return
        self._waiting.append(record)
        self._idle.clear()
        self._news.set()

    async def _publish_some(self) -> None:
        await self._news.wait()
        batch = [self._waiting[index] for index in range(min(A_BATCH, len(self._waiting)))]
        await self._publisher.publish(batch)  # if it fails, the batch stays and the loop comes again after a pause
        for _ in batch:
            self._waiting.popleft()
        if not self._waiting:
            self._news.clear()
            self._idle.set()

    def _lose(self, number: int) -> None:
        metrics.CLICKS_LOST.inc(number)
