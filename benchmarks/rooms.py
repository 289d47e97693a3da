"""What benchmarks run against: a PostgreSQL with every room's tables, and servers as processes."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import asyncpg

from benchmarks.figures import CpuClock, cpu_of
from todoke_local.embedded import EmbeddedPostgres
from todoke_local.embedded.child import ChildProgram
from todoke_local.ports import free_port
from todoke_local.rooms import migrate_rooms
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.postgres.pool import open_pool

CAMPAIGNS = Path(__file__).parents[1] / "campaigns"
READY_SECONDS = 60.0
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@asynccontextmanager
async def open_database() -> AsyncIterator[str]:
    """The DSN of an empty database, migrated, the shipped campaigns published.

    On the PostgreSQL that TODOKE_BENCH_POSTGRES_DSN names, whose user may create databases (it is dropped at the end);
    without it on an embedded one, which does not wait for a disk.
    """
    async with AsyncExitStack() as stack:
        named = os.environ.get("TODOKE_BENCH_POSTGRES_DSN")
        if named:
            dsn = await stack.enter_async_context(_own_database(named))
        else:
            dsn = (await stack.enter_async_context(EmbeddedPostgres())).dsn
        await migrate_rooms(dsn)
        async with await open_pool(dsn, application="benchmarks", schema="scheduler", size=1) as pool:
            await publish(pool, load_campaigns(CAMPAIGNS))
        yield dsn


@asynccontextmanager
async def _own_database(server: str) -> AsyncIterator[str]:
    name = f"todoke_bench_{uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement, timeout=60)
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def one_connection(dsn: str, schema: str) -> AsyncIterator[tuple[Pool, CpuClock]]:
    """A pool of one connection, and the CPU clock of the PostgreSQL process behind it (0 where that is far away)."""
    async with await open_pool(dsn, application="benchmarks", schema=schema, size=1) as pool:
        process_id = await pool.fetchval("SELECT pg_backend_pid()")
        is_here = await pool.fetchval("SELECT inet_server_addr() IS NOT DISTINCT FROM inet_client_addr()")
        yield pool, cpu_of(process_id) if is_here else lambda: 0.0


@dataclass(frozen=True)
class Server:
    """An HTTP server in a process of its own."""

    port: int
    process_id: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def open_server(
    module: str, *arguments: str, port_setting: str, environment: Mapping[str, str], ready: str = "/healthz"
) -> AsyncIterator[Server]:
    """Run `python -m module arguments` until the block ends. RuntimeError when it does not answer on `ready`."""
    port = free_port()
    child = ChildProgram(module, *arguments, environment={**environment, port_setting: str(port)})
    await child.start()
    try:
        server = Server(port, child.process_id)
        await _until_ready(child, server.url + ready)
        yield server
    finally:
        await child.stop()


@asynccontextmanager
async def open_simulator() -> AsyncIterator[Server]:
    """The LINE simulator in its minimal mode, its rate limits out of the way."""
    environment = {
        "TODOKE_SIMULATOR_MINIMAL": "true",
        "TODOKE_SIMULATOR_RATE_LIMITS": json.dumps({name: {"requests": 1_000_000} for name in ("push", "multicast")}),
        "TODOKE_SIMULATOR_ACCOUNTS": json.dumps([{"name": "main"}]),
    }
    async with open_server(
        "todoke_local.service_process", "simulator", port_setting="TODOKE_SIMULATOR_PORT", environment=environment
    ) as server:
        yield server


async def befriend(http: aiohttp.ClientSession, simulator_url: str, number: int, *, webhook: bool = False) -> list[str]:
    """So many friends of the account, with or without the webhooks that say so; their LINE user ids."""
    body: dict[str, Any] = {"users": [f"friend-{index}" for index in range(number)], "webhook": webhook}
    async with http.post(f"{simulator_url}/sim/users", json=body) as answer:
        answer.raise_for_status()
        return list((await answer.json())["userIds"].values())


async def _until_ready(child: ChildProgram, url: str) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with aiohttp.ClientSession(trust_env=False) as http:
        while True:
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # not listening yet
            if not child.is_running or asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(f"nothing answers at {url}; run the server by hand to see why")
            await asyncio.sleep(0.1)
