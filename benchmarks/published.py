"""What Kafka has of a topic: the end of whatever is measured from end to end."""

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

PATIENCE_SECONDS = 300.0


class Published:
    """How many records a topic of the embedded Kafka has."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._places = [TopicPartition(topic, number) for number in range(4)]

    async def count(self) -> int:
        """Up to now."""
        return sum((await self._consumer.end_offsets(self._places)).values())

    async def until(self, number: int, done: Callable[[int], None] = lambda _: None) -> None:
        """Return once it has so many. RuntimeError when it takes minutes."""
        deadline, before = time.monotonic() + PATIENCE_SECONDS, await self.count()
        while (now := await self.count()) < number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka has {now} of {number} records; is the scheduler's log quiet?")
            done(now - before)
            before = now
            await asyncio.sleep(0.02)
