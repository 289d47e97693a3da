"""Topic -> handler, in batches, through a FastStream subscriber.

May block: the handler, for as long as PostgreSQL is away; the consumer's heartbeat goes on beside it.
May lose: nothing.
Offsets are committed explicitly, after the handler's own commit, for exactly the records it was given:
FastStream's `ack()` would commit whatever has been fetched (RELIABILITY: decide these first).
An exception never leaves the handler here: under manual acknowledgement FastStream would go on to the next batch.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from todoke_shared.contracts.topics import Topic
from todoke_shared.errors import for_the_log
from todoke_shared.kafka.dealing import MAX_BATCH, Dealer
from todoke_shared.kafka.records import BatchHandler, Record
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.consume")

FETCH_WAIT_MS = 20
FETCH_HELD_MS = 50
"""How long a broker holds a fetch with nothing to give. Kafka answers as soon as it has something; the embedded broker
holds it to the end, so this is its latency."""
LONGEST_PAUSE_SECONDS = 10.0

_Batch = tuple[ConsumerRecord, ...]


class Consumption:
    """What a service consumes: its subscriptions on one broker, stopped together."""

    def __init__(self, broker: KafkaBroker, *, group: str) -> None:
        self._broker = broker
        self._group = group
        self._stopping = asyncio.Event()
        self._dealers: list[Dealer] = []

    def stop(self) -> None:
        """Take no new batch; a batch that waits for its next try is left for the next consumer."""
        self._stopping.set()
        for dealer in self._dealers:
            dealer.stop()

    async def end(self) -> None:
        """Once stopped: return when no batch is in hand any more."""
        for dealer in self._dealers:
            await dealer.drain()

    def subscribe(
        self, topics: Sequence[Topic], handler: BatchHandler, *, lane: str = "", side_by_side: int = 1
    ) -> None:
        """Give every batch of `topics` to `handler`, again until it takes it. Call before the broker starts.

        `side_by_side`: so many batches are taken at once, each of other partitions (dealing.py).
        """
        group = f"{self._group}-{lane}" if lane else self._group
        parser = _RawBatchParser()

        async def take(batch: Sequence[ConsumerRecord]) -> None:
            if await self._take(handler, [_record(record) for record in batch], group):
                await _commit(parser.consumer, batch)

        dealer = Dealer(take, side_by_side)
        self._dealers.append(dealer)

        async def receive(message: KafkaMessage) -> None:
            await (take(message.raw_message) if side_by_side == 1 else dealer.put(message.raw_message))

        # FastStream draws the AsyncAPI payload from the handler's annotation: the model of one record, though what it
        # hands over is our raw batch.
        receive.__annotations__["message"] = reduce(or_, [topic.payload for topic in topics])
        receive.__doc__ = " ".join(topic.purpose for topic in topics)
        subscriber = self._broker.subscriber(
            *(topic.name for topic in topics),
            batch=True,
            group_id=group,
            auto_offset_reset="earliest",  # aiokafka's default, latest, loses what came before the first commit
            ack_policy=AckPolicy.MANUAL,
            batch_timeout_ms=FETCH_WAIT_MS,
            max_records=MAX_BATCH * side_by_side,
            session_timeout_ms=10_000,
            fetch_max_wait_ms=FETCH_HELD_MS,
            parser=parser.parse,
            decoder=_whole_message,
            title="+".join(topic.name for topic in topics),
        )
        parser.subscriber = subscriber
        subscriber(receive)

    async def _take(self, handler: BatchHandler, records: Sequence[Record], group: str) -> bool:
        pause = 0.1
        while not self._stopping.is_set():
            try:
                with metrics.BATCH_SECONDS.labels(group).time():
                    await handler(records)
            except Exception as error:  # noqa: BLE001 - whatever it is, the batch is not done and must come again
                metrics.BATCH_RETRIES.labels(group, type(error).__name__).inc()
                logger.warning(
                    "%s: batch of %d not taken (%s), again in %.1f s", group, len(records), for_the_log(error), pause
                )
                await self._wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                metrics.RECORDS.labels(group).inc(len(records))
                return True
        return False

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


class _RawBatchParser:
    """Hands batches over untouched: FastStream's own parser loses a batch for one header that is not UTF-8."""

    def __init__(self) -> None:
        self.subscriber: BatchSubscriber | None = None

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """Whose batches these are."""
        return (self.subscriber.consumer if self.subscriber else None) or FAKE_CONSUMER

    async def parse(self, batch: _Batch) -> KafkaMessage:
        first = batch[0]
        return KafkaMessage(
            body=b"",
            headers={},
            raw_message=batch,
            consumer=self.consumer,
            message_id=f"{first.topic}/{first.partition}/{first.offset}",
            correlation_id="",
        )


async def _whole_message(message: KafkaMessage) -> KafkaMessage:
    return message


def _record(raw: ConsumerRecord) -> Record:
    headers = tuple((name, value or b"") for name, value in raw.headers)  # Kafka has headers without a value
    return Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value, headers)


async def _commit(consumer: AIOKafkaConsumer, batch: Iterable[ConsumerRecord]) -> None:
    ends: dict[TopicPartition, int] = {}
    for record in batch:
        ends[TopicPartition(record.topic, record.partition)] = record.offset + 1
    try:
        await consumer.commit(ends)
    except KafkaError as error:
        # Normal while partitions move: the database already knows, and the next owner skips these records.
        logger.info("offsets not committed (%s); PostgreSQL's positions stand", type(error).__name__)
