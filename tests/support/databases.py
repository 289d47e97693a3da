"""Which PostgreSQL the tests run on, and a database of its own for each test.

`TODOKE_TEST_POSTGRES_DSN`, where set, names a server whose user may create databases. Otherwise it is
a container where Docker answers, else the embedded server.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg
from testcontainers.community.postgres import PostgresContainer

from tests.support.brokers import docker_answers
from todoke_local.embedded import EmbeddedPostgres
from todoke_local.rooms import migrate_rooms

CHOICE = "TODOKE_TEST_POSTGRES_DSN"


class PostgresServer(Protocol):
    """A PostgreSQL server that the tests can start and stop."""

    @property
    def dsn(self) -> str:
        """A connection string for asyncpg, of a user who may create databases."""

    async def start(self) -> None:
        """Return once it answers."""

    async def stop(self) -> None:
        """Return once it is gone."""


class GivenPostgres:
    """A server that somebody else runs."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def start(self) -> None:
        """Nothing to do: it runs."""

    async def stop(self) -> None:
        """Nothing to do: it is not ours."""


class ContainerPostgres:
    """The official image, of the same release as the embedded server."""

    def __init__(self) -> None:
        self._container = PostgresContainer("postgres:18", driver=None)

    @property
    def dsn(self) -> str:
        """A connection string for the container's superuser."""
        return self._container.get_connection_url()

    async def start(self) -> None:
        """Return once it answers; the first time, once the image is pulled too."""
        await asyncio.to_thread(self._container.start)

    async def stop(self) -> None:
        """Remove the container."""
        await asyncio.to_thread(self._container.stop)


def choose_postgres(environment: Mapping[str, str] = os.environ) -> tuple[str, PostgresServer]:
    """The server to test on, not started yet, and its kind in one word."""
    if dsn := environment.get(CHOICE):
        return "given", GivenPostgres(dsn)
    if docker_answers():
        return "testcontainers", ContainerPostgres()
    return "embedded", EmbeddedPostgres()


@asynccontextmanager
async def fresh_database(server_dsn: str, like: str = "template1") -> AsyncIterator[str]:
    """The DSN of a new database, dropped at the end even where connections are still open.

    `like`: the database that it is a copy of, to which nobody may be connected; by default it is empty.
    """
    name = await _create_database(server_dsn, like)
    try:
        yield _dsn_of(server_dsn, name)
    finally:
        await drop_database(server_dsn, name)


async def create_migrated_database(server_dsn: str) -> str:
    """The name of a new database with every room's tables; the caller drops it."""
    name = await _create_database(server_dsn, "template1")
    await migrate_rooms(_dsn_of(server_dsn, name))
    return name


async def drop_database(server_dsn: str, name: str) -> None:
    """Drop a database, even where connections to it are still open."""
    await _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def _create_database(server_dsn: str, like: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    await _execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {like}")
    return name


def _dsn_of(server_dsn: str, name: str) -> str:
    return urlsplit(server_dsn)._replace(path=f"/{name}").geturl()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
