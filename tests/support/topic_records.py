"""What lies in a topic, read from outside; and each of it once, where a relay that died has written it twice."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from todoke_shared.contracts.topics import Topic
from todoke_shared.jsons import loads
from todoke_shared.kafka.records import Record
from todoke_shared.kafka.topics import end_offsets


@dataclass(frozen=True)
class Lying:
    """A record as it lies in its topic. `id`: what its value says; `at`: when it was written, by its writer's clock."""

    id: UUID
    at: datetime
    record: Record


async def read_topic(bootstrap_servers: str, topic: Topic) -> list[Lying]:
    """Everything that lies in a topic now, each partition's in its order. Each value has an id."""
    ends = await end_offsets(bootstrap_servers, topic)
    found: list[Lying] = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        places = [TopicPartition(topic.name, number) for number, end in ends.items() if end > 0]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while len(found) < sum(ends.values()):
            for lot in (await consumer.getmany(timeout_ms=200)).values():
                found += map(_lying, lot)
    return found


def without_repeats(found: Iterable[Lying]) -> tuple[dict[UUID, Lying], int]:
    """Each by its id, as it was written first, and how many were written again.

    A relay that dies between Kafka's acknowledgement and its delete publishes its last batch again
    (todoke_shared/kafka/relay.py); whoever reads it knows it by its id. AssertionError where it says something else
    the second time.
    """
    first: dict[UUID, Lying] = {}
    times: Counter[UUID] = Counter()
    for one in sorted(found, key=lambda each: each.at):
        assert first.setdefault(one.id, one).record.value == one.record.value, f"{one.id} is told in two ways"
        times[one.id] += 1
    return first, times.total() - len(times)


def _lying(one: ConsumerRecord) -> Lying:
    record = Record(one.topic, one.partition, one.offset, one.key, one.value)
    return Lying(UUID(loads(one.value)["id"]), datetime.fromtimestamp(one.timestamp / 1000, UTC), record)
