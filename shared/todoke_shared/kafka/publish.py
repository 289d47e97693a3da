"""The one way to write to Kafka: idempotent, acknowledged by all replicas, in order for each key."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing

MAX_RECORD_BYTES = 1_000_000
"""Just under Kafka's own default for a batch (message.max.bytes, 1,048,588)."""

FLUSH_SECONDS = 5.0
"""aiokafka never gives up an idempotent batch, so that with Kafka away a flush would hold up a stop for ever. What is
not acknowledged by then, nobody has been told is durable."""


class KafkaPublisher:
    """An idempotent producer (`acks=all`). `start` before use, `stop` flushes."""

    def __init__(self, bootstrap_servers: str, *, client_id: str, linger_ms: int = 2) -> None:
        self._options = {
            "bootstrap_servers": bootstrap_servers,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": linger_ms,
            "request_timeout_ms": 10_000,
            "max_request_size": MAX_RECORD_BYTES,
        }
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises aiokafka's KafkaConnectionError when no broker answers."""
        producer = AIOKafkaProducer(**self._options)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Flush, for at most FLUSH_SECONDS, and close."""
        if self._producer is None:
            return
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._producer.stop()
        except TimeoutError:
            await self._producer.client.close()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return when every record is acknowledged. SlowDownError when one may not be: publish all of them again."""
        if self._producer is None:
            raise SlowDownError("the Kafka producer has not been started")
        try:
            waits = [
                await self._producer.send(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    headers=[(name, text.encode()) for name, text in record.headers.items()],
                )
                for record in records
            ]
            await asyncio.gather(*waits)
        except KafkaError as error:
            raise SlowDownError(f"Kafka did not acknowledge: {type(error).__name__}") from error
