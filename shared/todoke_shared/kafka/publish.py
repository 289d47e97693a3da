"""The one way to write to Kafka: idempotent, acknowledged by all replicas, in order for each key."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.murmur2 import murmur2
from todoke_shared.kafka.records import Outgoing

MAX_RECORD_BYTES = 1_000_000
"""Just under Kafka's own default for a batch (message.max.bytes, 1,048,588)."""
FRAMING_BYTES = 512
"""What a record weighs beside key, value and headers, with much to spare."""
BATCH_BYTES = 500_000
"""A batch of several records stays well below what a broker takes."""
FLUSH_SECONDS = 3.0
"""aiokafka never gives up an idempotent batch, so that with Kafka away a flush would hold up a stop for ever. What is
not acknowledged by then, nobody has been told is durable."""


End = Callable[[AIOKafkaProducer], Coroutine[None, None, None]]
"""How a producer is closed."""


class TooLargeError(ValueError):
    """A record that Kafka will never take. Nothing of the call was written."""


class KafkaPublisher:
    """An idempotent producer (`acks=all`). `start` before use, `stop` flushes."""

    def __init__(self, bootstrap_servers: str, *, client_id: str) -> None:
        self._options = {
            "bootstrap_servers": bootstrap_servers,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": 10_000,
            "max_request_size": MAX_RECORD_BYTES + FRAMING_BYTES,
            "max_batch_size": BATCH_BYTES,
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
        producer = self._producer or await self.ready()
        try:
            # May wait for ever for a topic that is not there; nothing has been given to the producer yet.
            batches = await _batches(producer, records)
        except KafkaError as error:
            raise SlowDownError(f"Kafka does not know where to write: {type(error).__name__}") from error
        try:
            await self._send(producer, batches)
        except asyncio.CancelledError:
            # Whoever gave up waiting will write these records again. aiokafka would keep them and try for ever, so
            # that a long absence of Kafka's would end in a flood of repeats.
            self._let_go(producer, _abandon)
            raise

    async def _send(self, producer: AIOKafkaProducer, batches: Sequence[tuple[str, int, BatchBuilder]]) -> None:
        acknowledged: list[asyncio.Future[object]] = []
        try:
            for topic, partition, batch in batches:
                acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            for each in acknowledged:
                await each
        except KafkaError as error:
            await asyncio.gather(*acknowledged, return_exceptions=True)
            if not error.retriable:
                # The refused batch has used up its sequence number: this producer can never write there again.
                self._let_go(producer, _close)
            raise SlowDownError(f"Kafka did not acknowledge: {type(error).__name__}") from error

    async def ready(self) -> AIOKafkaProducer:
        """The producer, connected. SlowDownError when Kafka does not answer."""
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

    def _let_go(
        self, producer: AIOKafkaProducer, end: Callable[[AIOKafkaProducer], Coroutine[None, None, None]]
    ) -> None:
        """Let the next call begin with a producer of its own, unless somebody else has seen to that already.

        The old one ends by itself: whoever is told that it failed need not wait, nor may he cut that short.
        """
        if self._producer is producer:
            self._producer = None
            closing = asyncio.create_task(end(producer))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def size_of(record: Outgoing) -> int:
    """The bytes of a record's key, value and headers."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, text in record.headers.items():
        size += len(name) + (len(text) if text.isascii() else len(text.encode()))
    return size


async def _batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[tuple[str, int, BatchBuilder]]:
    """The records as finished batches, each partition's in order: a tenth of the cost of giving them one by one."""
    now = int(time.time() * 1000)
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {r.topic for r in records}}
    batches: list[tuple[str, int, BatchBuilder]] = []
    open_batches: dict[tuple[str, int], BatchBuilder] = {}
    for record in records:
        where = record.topic, _partition(record.key, partitions[record.topic])
        batch = open_batches.get(where)
        if batch is None or not _append(batch, record, now):
            batch = open_batches[where] = producer.create_batch()
            batches.append((*where, batch))
            _append(batch, record, now)  # an empty one takes a record of any size
    return batches


def _append(batch: BatchBuilder, record: Outgoing, now: int) -> bool:
    """Whether the batch had room for it."""
    # aiokafka refuses a record of nothing at all; an empty value says the same.
    value = b"" if record.value is None and record.key is None else record.value
    headers = [(name, text.encode()) for name, text in record.headers.items()]
    return batch.append(timestamp=now, key=record.key, value=value, headers=headers) is not None


def _partition(key: bytes | None, partitions: Sequence[int]) -> int:
    return random.choice(partitions) if key is None else partitions[_hash(key) % len(partitions)]  # noqa: S311


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    """As Kafka's own clients hash: a person's records share a partition, whoever writes them. People come again."""
    return murmur2(key) & 0x7FFFFFFF


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
