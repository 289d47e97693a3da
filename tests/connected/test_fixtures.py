"""The fixtures that connected tests stand on: one Kafka for the run, a database for each test."""

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.databases import fresh_database


async def test_kafka_bootstrap_names_a_broker(kafka_bootstrap: str) -> None:
    """The shared broker answers a metadata request at the address it was given out under."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        [broker] = (await admin.describe_cluster())["brokers"]
    finally:
        await admin.close()
    assert f"{broker['host']}:{broker['port']}" == kafka_bootstrap


@pytest.mark.parametrize("run", [1, 2])
async def test_each_test_has_an_empty_database_of_its_own(postgres_dsn: str, run: int) -> None:
    """The same table can be created in every test: nothing of the previous one is there."""
    connection = await asyncpg.connect(postgres_dsn)
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
