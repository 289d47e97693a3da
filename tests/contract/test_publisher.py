"""One suite for the fake topics and for Kafka's: what a room may rely on when it publishes."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.memory_topics import MemoryTopics
from todoke_shared.kafka.publish import MAX_RECORD_BYTES, KafkaPublisher, TooLargeError
from todoke_shared.kafka.records import Outgoing, Publisher, Record
from todoke_shared.kafka.topics import cluster_id

Read = Callable[[str], Awaitable[list[Record]]]


@pytest.fixture(params=["memory", "kafka"])
async def topics(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Publisher, Read, str]]:
    """A publisher, a way to read a topic from its start, and a topic of the test's own."""
    name = f"contract-{uuid.uuid4()}"
    if request.param == "memory":
        memory = MemoryTopics()

        async def read_memory(topic: str) -> list[Record]:
            return memory.read(topic, "reader")

        yield memory, read_memory, name
        return
    bootstrap: str = request.getfixturevalue("kafka_bootstrap")
    await _create(bootstrap, name)
    publisher = KafkaPublisher(bootstrap, client_id="contract")
    await publisher.start()
    yield publisher, lambda topic: _read_kafka(bootstrap, topic), name
    await publisher.stop()


async def _create(bootstrap: str, name: str) -> None:
    if (await cluster_id(bootstrap)).startswith("mockCluster"):
        return  # it makes topics on first use, and cannot otherwise
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 4, 1)])
    await admin.close()


async def _read_kafka(bootstrap: str, topic: str) -> list[Record]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
        left = sum((await consumer.end_offsets(places)).values())
        found: list[Record] = []
        while len(found) < left:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [Record(r.topic, r.partition, r.offset, r.key, r.value, tuple(r.headers)) for r in records]
        return found
    finally:
        await consumer.stop()


async def test_a_published_record_is_there_untouched(topics: tuple[Publisher, Read, str]) -> None:
    """Bytes are bytes, headers are UTF-8; a record of nothing at all has an empty value."""
    publisher, read, topic = topics
    sent = [
        Outgoing(topic, b"key", b"\xff\x00 not text", {"todoke-reason": "理由"}),
        Outgoing(topic, None, None),
    ]
    await publisher.publish(sent)
    found = {(record.key, record.value, record.headers) for record in await read(topic)}
    assert found == {
        (b"key", b"\xff\x00 not text", (("todoke-reason", "理由".encode()),)),
        (None, b"", ()),
    }


async def test_the_records_of_a_key_keep_their_order(topics: tuple[Publisher, Read, str]) -> None:
    """Within one call and from call to call, whatever else is published beside them."""
    publisher, read, topic = topics
    for start in (0, 50):
        await publisher.publish(
            [
                Outgoing(topic, f"person-{number % 5}".encode(), str(number).encode())
                for number in range(start, start + 50)
            ]
        )
    found = await read(topic)
    for person in range(5):
        mine = [int(record.value or b"") for record in found if record.key == f"person-{person}".encode()]
        assert mine == list(range(person, 100, 5))
        assert len({record.partition for record in found if record.key == f"person-{person}".encode()}) == 1


async def test_what_is_too_large_is_refused_and_not_lost_silently(topics: tuple[Publisher, Read, str]) -> None:
    """Whoever publishes learns of it."""
    publisher, read, topic = topics
    with pytest.raises(TooLargeError):
        await publisher.publish([Outgoing(topic, b"k", b"x" * (MAX_RECORD_BYTES + 1))])
    assert await read(topic) == []
