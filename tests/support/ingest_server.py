"""Ingest as it runs: a real HTTP server around the app, on a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import uvicorn

from todoke_ingest.main import create_app
from todoke_ingest.settings import IngestSettings
from todoke_local.ports import free_port
from todoke_shared.kafka.topics import create_topics

WITHIN_SECONDS = 30.0
"""How long a test waits for what must come."""


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Return once `true` is; TimeoutError after a while."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            if await true():
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(settings: IngestSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The app behind uvicorn in this process, on a port of its own."""
    config = uvicorn.Config(
        create_app(settings),
        host="127.0.0.1",
        port=settings.ingest_port,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.ingest_port}", trust_env=False) as client:

            async def started() -> bool:
                return server.started

            await until(started)
            yield client
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def ready_ingest(kafka_bootstrap: str, postgres_dsn: str, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an ingest that is ready, with every topic made."""
    await create_topics(kafka_bootstrap)
    async with serving(settings_for(kafka_bootstrap, postgres_dsn, **settings)) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready)
        yield client


def settings_for(kafka_bootstrap: str, postgres_dsn: str, **settings: object) -> IngestSettings:
    """Ingest's settings, on a free port."""
    return IngestSettings.model_validate(
        {
            "kafka_bootstrap_servers": kafka_bootstrap,
            "postgres_dsn": postgres_dsn,
            "ingest_port": free_port(),
            **settings,
        }
    )


async def spooled(client: httpx.AsyncClient) -> float:
    """Bytes in the spool, as ingest tells them."""
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("todoke_spool_bytes "))


async def connections(dsn: str) -> int:
    """How many connections ingest has to this test's database."""
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'todoke-ingest'"
            )
        )
    finally:
        await connection.close()
