"""Apache Kafka keeps what it acknowledged through kill -9, and the tests' handle on it keeps its own promises."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.support.apache_kafka import ApacheKafka
from tests.support.processes import is_running, wait_until_gone

pytestmark = pytest.mark.apache_kafka

TOPIC = "ec.events.v1"
RECORDS = 500


async def create_topic(bootstrap_servers: str) -> None:
    """Create the topic with one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def read_all(bootstrap_servers: str, count: int) -> list[bytes | None]:
    """The first `count` values of the topic, read without a group."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]


async def test_acknowledged_records_survive_kill_9_of_the_broker(tmp_path: Path) -> None:
    """Records acknowledged with acks=all are there, once and in order, after kill -9 and a restart."""
    async with ApacheKafka(tmp_path) as kafka:
        await create_topic(kafka.bootstrap_servers)
        async with AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True
        ) as producer:
            acknowledged = [await producer.send(TOPIC, b"%d" % number, partition=0) for number in range(RECORDS)]
            await asyncio.gather(*acknowledged)
        killed, address = kafka.process_id, kafka.bootstrap_servers
        await kafka.kill()
        assert not is_running(killed)
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(address[10:])), 2):
            pass
        await kafka.restart()
        assert kafka.bootstrap_servers == address
        assert kafka.process_id != killed
        assert await read_all(address, RECORDS) == [b"%d" % number for number in range(RECORDS)]


async def test_a_topic_that_nobody_created_is_refused(tmp_path: Path) -> None:
    """auto.create.topics.enable is off: a misspelt topic fails instead of appearing."""
    async with ApacheKafka(tmp_path) as kafka:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        try:
            [described] = await admin.describe_topics(["misspelt"])
        finally:
            await admin.close()
    assert described["error_code"] == UnknownTopicOrPartitionError.errno


async def test_the_broker_dies_with_a_killed_test_run(tmp_path: Path) -> None:
    """kill -9 of the program that started the broker ends the broker too."""
    program = (
        "import asyncio, pathlib\n"
        "from tests.support.apache_kafka import ApacheKafka\n"
        "async def main():\n"
        f"    async with ApacheKafka(pathlib.Path({str(tmp_path)!r})) as kafka:\n"
        "        print(kafka.process_id, flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert run.stdout is not None
    broker = int(await run.stdout.readline())
    assert is_running(broker)
    run.kill()
    await run.wait()
    await wait_until_gone(broker)


async def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """What Kafka said is in the error, so that nobody has to look for the file."""
    kafka = ApacheKafka(tmp_path)
    await kafka.start()
    await kafka.stop()
    (tmp_path / "data" / "meta.properties").unlink()
    with pytest.raises(RuntimeError, match=r"meta\.properties"):
        await kafka.start()
