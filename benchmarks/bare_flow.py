"""The flow's floor: the same three topics' hops and the push, on the same Kafka, in one process, with no work between.

What is left is what Kafka and HTTP take: produce and be acknowledged, three times; fetch, three times; push.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from todoke_dispatcher.adapters.line import PUSH_PATH
from todoke_shared.accounts import SIMULATOR_TOKEN
from todoke_shared.jsons import dumps
from todoke_shared.kafka.consume import FETCH_HELD_MS, FETCH_WAIT_MS
from todoke_shared.kafka.dealing import MAX_BATCH

TOPICS = ("benchmark.flow.1", "benchmark.flow.2", "benchmark.flow.3")
"""As many as an event passes: ec.events, customer.triggers, message.requests."""
CONCURRENCY = 200
_HEADERS = {"Authorization": f"Bearer {SIMULATOR_TOKEN}", "Content-Type": "application/json"}


class BareFlow:
    """Sends a text to LINE by way of three topics."""

    def __init__(self, producer: AIOKafkaProducer, http: aiohttp.ClientSession, url: str, friend: str) -> None:
        self._producer = producer
        self._http = http
        self._url = url + PUSH_PATH
        self._friend = friend
        self._pushing: set[asyncio.Task[None]] = set()

    async def send(self, texts: Sequence[str]) -> None:
        """Return once the first topic has them."""
        values = [dumps({"to": self._friend, "messages": [{"type": "text", "text": text}]}) for text in texts]
        await self._produce(TOPICS[0], values)

    async def hop(self, consumer: AIOKafkaConsumer, index: int) -> None:
        """Topic to topic, and from the last to LINE, until cancelled."""
        while True:
            batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=MAX_BATCH)
            values = [record.value for records in batches.values() for record in records]
            if index + 1 < len(TOPICS):
                await self._produce(TOPICS[index + 1], values)
                continue
            for value in values:
                task = asyncio.create_task(self._push(value))
                self._pushing.add(task)
                task.add_done_callback(self._pushing.discard)

    async def _produce(self, topic: str, values: Sequence[bytes]) -> None:
        waits = [await self._producer.send(topic, value=value, key=value[-12:]) for value in values]
        await asyncio.gather(*waits)

    async def _push(self, body: bytes) -> None:
        async with self._http.post(self._url, data=body, headers=_HEADERS) as answer:
            await answer.read()
            answer.raise_for_status()


@asynccontextmanager
async def open_bare_flow(bootstrap_servers: str, simulator_url: str, friend: str) -> AsyncIterator[BareFlow]:
    """The chain, running."""
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(
            AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=2)
        )
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, trust_env=False))
        flow = BareFlow(producer, http, simulator_url, friend)
        hops = []
        for index, topic in enumerate(TOPICS):
            partitions = await producer.partitions_for(topic)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=FETCH_HELD_MS
            )
            await stack.enter_async_context(consumer)
            consumer.assign([TopicPartition(topic, partition) for partition in partitions])
            hops.append(asyncio.create_task(flow.hop(consumer, index)))
        try:
            yield flow
        finally:
            for hop in hops:
                hop.cancel()
            await asyncio.gather(*hops, return_exceptions=True)
