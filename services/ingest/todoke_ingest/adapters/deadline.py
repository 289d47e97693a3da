"""A publisher that answers in time: aiokafka never gives up an idempotent batch, but waits for Kafka for ever.

May block: for `seconds`. May repeat: a record given up here may still be written once Kafka is back, and its sender,
told 503, sends it again; readers recognise an event by its id.
"""

import asyncio
from collections.abc import Sequence

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing, Publisher


class PublisherInTime:
    """Another publisher, with a deadline in seconds."""

    def __init__(self, publisher: Publisher, seconds: float) -> None:
        self._publisher = publisher
        self._seconds = seconds

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """As the other does it; SlowDownError when it takes longer."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._publisher.publish(records)
        except TimeoutError:
            raise SlowDownError(f"Kafka did not acknowledge within {self._seconds:g} s") from None
