"""The fixtures that connected tests stand on: a Kafka for the run and, for services, of their own; a database each."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.databases import fresh_database
from tests.support.kafka_groups import groups_of
from todoke_local.rooms import ROOMS
from todoke_shared.contracts.topics import EC_EVENTS, TOPICS
from todoke_shared.kafka.topics import end_offsets


async def test_kafka_bootstrap_names_a_broker(kafka_bootstrap: str) -> None:
    """The shared broker answers a metadata request at the address it was given out under."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        [broker] = (await admin.describe_cluster())["brokers"]
    finally:
        await admin.close()
    assert f"{broker['host']}:{broker['port']}" == kafka_bootstrap


@pytest.mark.apache_kafka
async def test_services_have_a_kafka_with_every_topic_and_nothing_in_it(own_kafka: str, kafka_bootstrap: str) -> None:
    """Another than the shared one; and where a service reads from that, its group is seen."""
    assert own_kafka != kafka_bootstrap
    ends = [await end_offsets(own_kafka, topic) for topic in TOPICS]
    assert [set(end.values()) for end in ends] == [{0}] * len(TOPICS)
    assert await groups_of(own_kafka) == set()
    async with AIOKafkaConsumer(EC_EVENTS.name, bootstrap_servers=own_kafka, group_id="some-service"):
        assert await groups_of(own_kafka) == {"some-service"}


@pytest.mark.parametrize("run", [1, 2])
async def test_each_test_has_a_database_of_its_own_with_every_rooms_tables(postgres_dsn: str, run: int) -> None:
    """Migrations that are all applied, and nothing that the test before has written."""
    files = {file.stem for room in ROOMS for file in room.folder.glob("*.sql")}
    connection = await asyncpg.connect(postgres_dsn)
    try:
        applied = await connection.fetch("SELECT migration_id FROM public._pogo_migration")
        assert {row["migration_id"] for row in applied} == files
        assert await connection.fetchval("SELECT count(*) FROM platform.simulated_clock") == 0
        await connection.execute("INSERT INTO platform.simulated_clock VALUES (true, now(), now(), 1, now())")
    finally:
        await connection.close()


@pytest.mark.parametrize("run", [1, 2])
async def test_a_test_may_have_an_empty_database_of_its_own(empty_postgres_dsn: str, run: int) -> None:
    """The same table can be created in every test: nothing of the previous one is there."""
    connection = await asyncpg.connect(empty_postgres_dsn)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.execute("CREATE TABLE people (person text PRIMARY KEY)")
    finally:
        await connection.close()


async def test_a_fresh_database_is_dropped_under_open_connections(postgres_server: str) -> None:
    """A test that forgets to close a connection does not leave its database behind."""
    async with fresh_database(postgres_server) as dsn:
        forgotten = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn)
    forgotten.terminate()
