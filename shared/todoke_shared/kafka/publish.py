"""The one way to write to Kafka: idempotent, acknowledged by all replicas, in order for each key."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing

MAX_RECORD_BYTES = 1_000_000
"""Just under Kafka's own default for a batch (message.max.bytes, 1,048,588)."""
FRAMING_BYTES = 512
"""What a record weighs beside key, value and headers, with much to spare."""
FLUSH_SECONDS = 3.0
"""aiokafka never gives up an idempotent batch, so that with Kafka away a flush would hold up a stop for ever. What is
not acknowledged by then, nobody has been told is durable."""


class TooLargeError(ValueError):
    """A record that Kafka will never take. Nothing of the call was written."""


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
            "max_request_size": MAX_RECORD_BYTES + FRAMING_BYTES,
        }
        self._producer: AIOKafkaProducer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

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
        under_way = {task for task in (self._starting, *self._closing) if task is not None and not task.done()}
        if under_way:
            await asyncio.wait(under_way, timeout=FLUSH_SECONDS)
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return when every record is acknowledged.

        SlowDownError when one may not be: publish all of them again. TooLargeError when one can never be.
        """
        for record in records:
            if size_of(record) > MAX_RECORD_BYTES:
                raise TooLargeError(f"a record of {size_of(record)} bytes does not fit into {record.topic}")
        producer = self._producer or await self._ready()
        try:
            waits = [
                await producer.send(
                    record.topic,
                    # aiokafka refuses a record of nothing at all; an empty value says the same.
                    value=b"" if record.value is None and record.key is None else record.value,
                    key=record.key,
                    headers=[(name, text.encode()) for name, text in record.headers.items()],
                )
                for record in records
            ]
            await asyncio.gather(*waits)
        except asyncio.CancelledError:
            # Whoever gave up waiting will write these records again. aiokafka would keep them and try for ever, so
            # that a long absence of Kafka's would end in a flood of repeats.
            self._let_go(producer)
            raise
        except KafkaError as error:
            if not error.retriable:
                # The refused batch has used up its sequence number: this producer can never write there again.
                await self._give_up(producer)
            raise SlowDownError(f"Kafka did not acknowledge: {type(error).__name__}") from error

    async def _ready(self) -> AIOKafkaProducer:
        # Not cancelled with its caller: a connection given up half-way would be left open.
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self.start())
        try:
            await asyncio.shield(self._starting)
        except KafkaError as error:
            raise SlowDownError(f"Kafka does not answer: {type(error).__name__}") from error
        if self._producer is None:
            raise SlowDownError("the Kafka producer has been stopped")
        return self._producer

    def _let_go(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
            closing = asyncio.create_task(_abandon(producer))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _give_up(self, producer: AIOKafkaProducer) -> None:
        """Let the next call begin with a producer of its own, unless somebody else has seen to that already."""
        if self._producer is producer:
            self._producer = None
            await _close(producer)


def size_of(record: Outgoing) -> int:
    """The bytes of a record's key, value and headers."""
    headers = sum(len(name) + len(text.encode()) for name, text in record.headers.items())
    return len(record.key or b"") + len(record.value or b"") + headers


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Close without waiting for what is under way; whoever waits for it has a deadline of his own.

    aiokafka has no public way to do so: `stop` flushes, and for ever.
    """
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await producer.client.close()
            await producer._sender.close()
    producer._closed = True


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await producer.stop()
    except TimeoutError:
        await _abandon(producer)
