"""Positions that outlived their topic: a topic deleted and made again starts at 0, and must not be skipped."""

import logging
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from todoke_shared.contracts.topics import Topic
from todoke_shared.postgres.queries import load_queries

logger = logging.getLogger("todoke.positions")
_SQL = load_queries("todoke_shared.postgres", "stream.sql")


async def forget_lost_positions(
    pool: "asyncpg.Pool[asyncpg.Record]", bootstrap_servers: str, cluster: str, topics: Sequence[Topic]
) -> None:
    """Drop positions beyond the end of their topic. The inbox still knows what was done before."""
    consumer = AIOKafkaConsumer(*(topic.name for topic in topics), bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic.name, partition)
            for topic in topics
            for partition in consumer.partitions_for_topic(topic.name) or ()
        ]
        ends = await consumer.end_offsets(places) if places else {}
    finally:
        await consumer.stop()
    rows = await pool.fetch(
        _SQL["forget_positions"],
        cluster,
        [place.topic for place in ends],
        [place.partition for place in ends],
        list(ends.values()),
    )
    for row in rows:
        logger.warning("topic %s/%d was made again: it is read from its start", row["topic"], row["partition"])
