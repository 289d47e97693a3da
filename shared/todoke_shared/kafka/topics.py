"""Topic creation from the topic map, and what cluster we are on."""

import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from todoke_shared.contracts.topics import PARTITIONS, TOPICS, Topic

logger = logging.getLogger("todoke.topics")
_MOCK = "mockCluster"
"""How librdkafka names its mock clusters (rdkafka_mock.c)."""
_DEAD_LETTER_RETENTION = 30 * 24 * 3600


async def create_topics(bootstrap_servers: str, *, replication: int = 1) -> list[str]:
    """Create the topics that are missing, dead-letter topics too, and give their names.

    On the embedded broker (librdkafka's mock cluster) none: it makes topics on first use, and cannot otherwise.
    `replication` is the number of copies; 3 for a cluster that may lose a broker. Raises RuntimeError with the broker's
    answer when a topic cannot be made.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        if str((await admin.describe_cluster())["cluster_id"]).startswith(_MOCK):
            return []
        there = set(await admin.list_topics())
        wanted = [(t.name, t.retention, PARTITIONS) for t in TOPICS]
        wanted += [(t.dead_letters, _DEAD_LETTER_RETENTION, 1) for t in TOPICS]
        missing = [
            NewTopic(name, partitions, replication, topic_configs={"retention.ms": str(retention * 1000)})
            for name, retention, partitions in wanted
            if name not in there
        ]
        if missing:
            answer = await admin.create_topics(missing)
            refused = [
                f"{name}: {text}" for name, code, text in answer.topic_errors if code not in (0, 36)
            ]  # 36 = exists
            if refused:
                raise RuntimeError("Kafka refused to create topics: " + "; ".join(refused))
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def end_offsets(bootstrap_servers: str, topic: Topic) -> dict[int, int]:
    """Where each partition of a topic now ends. Empty when the topic is not there."""
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in consumer.partitions_for_topic(topic.name) or ()]
        ends = await consumer.end_offsets(places) if places else {}
        return {place.partition: end for place, end in ends.items()}
    finally:
        await consumer.stop()


async def cluster_id(bootstrap_servers: str) -> str:
    """The cluster's own id: positions are kept per cluster, since another cluster's offsets mean nothing here."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        description = await admin.describe_cluster()
        return str(description["cluster_id"])
    finally:
        await admin.close()
