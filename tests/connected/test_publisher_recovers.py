"""What Kafka refuses for ever costs that one call, and not all that come after it."""

import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing


@pytest.mark.apache_kafka
async def test_a_definitive_refusal_does_not_spoil_the_producer(kafka_bootstrap: str) -> None:
    """The refused batch uses up its sequence number: the producer that sent it can never write there again."""
    topic = f"narrow-{uuid.uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "1000"})])
    await admin.close()
    publisher = KafkaPublisher(kafka_bootstrap, client_id="test")
    await publisher.start()
    try:
        await publisher.publish([Outgoing(topic, b"k", b"fits")])
        with pytest.raises(SlowDownError):
            await publisher.publish([Outgoing(topic, b"k", b"x" * 5000)])
        await publisher.publish([Outgoing(topic, b"k", b"fits again")])
    finally:
        await publisher.stop()
