"""What topics still hold, read beside the services: without a consumer group, so that nobody's position moves.

May block: on Kafka, for at most STALLED_SECONDS without a record. May lose: nothing between `begin` and `end`.
Memory: about one fetch a partition, however much is read.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from todoke_shared.contracts.topics import Topic
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Record

Place = tuple[str, int]
"""(topic, partition)"""
CHUNK = 500
_FETCH_MS = 500
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
STALLED_SECONDS = 60.0
"""Kafka that gives nothing for so long is away; who reads may start again where it was."""


@dataclass(frozen=True)
class Stretch:
    """What a partition holds: offsets from `begin` up to, and without, `end`."""

    begin: int
    end: int


@dataclass(frozen=True)
class Chunk:
    """Up to CHUNK records. `written_at`: the latest time, by Kafka's timestamps, of them and of all before them."""

    records: list[Record]
    written_at: datetime


class RetainedTopics:
    """A reader of whole topics. One `read` at a time."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap = bootstrap_servers
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what retention has deleted in the meantime is passed over
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def stretches(self, topics: Iterable[Topic]) -> dict[Place, Stretch]:
        """What each partition holds now. A topic that is not there holds nothing."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            found = await admin.describe_topics([topic.name for topic in topics])
        finally:
            await admin.close()
        places = [TopicPartition(one["topic"], part["partition"]) for one in found for part in one["partitions"]]
        if not places:
            return {}
        begins = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        return {(place.topic, place.partition): Stretch(begins[place], ends[place]) for place in sorted(places)}

    async def first_times(self, stretches: Mapping[Place, Stretch]) -> dict[Place, datetime]:
        """When the oldest record of each of these was written. Those that hold none are left out."""
        first: dict[Place, datetime] = {}
        for place, stretch in stretches.items():
            async with aclosing(self._records({place: stretch})) as records:
                async for record in records:
                    first[place] = _written_at(record)
                    break
        return first

    async def read(self, stretches: Mapping[Place, Stretch]) -> AsyncIterator[Chunk]:
        """Each partition in its order, all of them about in the order in which they were written.

        SlowDownError when Kafka stops giving.
        """
        chunk: list[Record] = []
        written_at = _BEGINNING
        async for raw in self._records(stretches):
            headers = tuple((name, value or b"") for name, value in raw.headers)
            chunk.append(Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value, headers))
            written_at = max(written_at, _written_at(raw))
            if len(chunk) >= CHUNK:
                yield Chunk(chunk, written_at)
                chunk = []
        if chunk:
            yield Chunk(chunk, written_at)

    async def _records(self, stretches: Mapping[Place, Stretch]) -> AsyncGenerator[ConsumerRecord, None]:
        ends = {TopicPartition(*place): s.end for place, s in stretches.items() if s.begin < s.end}
        if not ends:
            return
        self._consumer.assign(list(ends))
        for place in ends:
            self._consumer.seek(place, stretches[place.topic, place.partition].begin)
        waiting = {place: await self._some(place, end) for place, end in ends.items()}
        heads = [(records[0].timestamp, place) for place, records in waiting.items() if records]
        heapify(heads)
        while heads:
            _, place = heappop(heads)
            yield waiting[place].popleft()
            if not waiting[place]:
                waiting[place] = await self._some(place, ends[place])
            if waiting[place]:
                heappush(heads, (waiting[place][0].timestamp, place))

    async def _some(self, place: TopicPartition, end: int) -> deque[ConsumerRecord]:
        """The next records of a partition; none when its end is reached, which may lie behind its last record."""
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                while await self._consumer.position(place) < end:
                    found = await self._consumer.getmany(place, timeout_ms=_FETCH_MS, max_records=CHUNK)
                    if records := [record for record in found.get(place, ()) if record.offset < end]:
                        return deque(records)
        except TimeoutError:
            raise SlowDownError(
                f"Kafka has given nothing of {place.topic}/{place.partition} for {STALLED_SECONDS:g} s; is it there?"
            ) from None
        self._consumer.pause(place)
        return deque()


def _written_at(record: ConsumerRecord) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


async def retention_of(bootstrap_servers: str, topics: Iterable[Topic]) -> timedelta | None:
    """How long these topics keep everything; None when a topic's size too, or nothing that we are told, ends it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    shortest: list[int] = []
    for answer in answers:
        for resource in answer.resources:
            settings = {entry[0]: entry[1] for entry in resource[4]}
            if settings.get("retention.bytes") != "-1" or not str(settings.get("retention.ms", "")).isdigit():
                return None
            shortest.append(int(settings["retention.ms"]))
    return timedelta(milliseconds=min(shortest)) if shortest else None
