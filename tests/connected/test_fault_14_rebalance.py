"""Fault test 14 of RELIABILITY: three dispatchers that come and go share LINE's limit, stay below it and use it.

TODOKE_TEST_LONG=1: somebody goes or comes every 20 seconds; else every two.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.support.deliveries import request, user_named
from tests.support.dispatching import open_bench
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.main import create_app
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.contracts.topics import LANES
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.topics import create_topics

LONG = bool(os.environ.get("TODOKE_TEST_LONG"))
LIMIT = 200 if LONG else 60
"""Requests a second; the short form leaves a busy machine time for other things."""
PAUSE, CHANGES = (20.0, 6) if LONG else (2.0, 3)
pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def requesting(bootstrap: str, server: LineServer) -> AsyncIterator[list[str]]:
    """More requests than LINE's limit takes, all the time; gives whom they were for."""
    publisher = KafkaPublisher(bootstrap, client_id="test")
    await publisher.start()
    wanted: list[str] = []
    enough = asyncio.Event()

    async def publish() -> None:
        while not enough.is_set():
            names = [f"r{len(wanted) + index}" for index in range(LIMIT // 8)]
            await server.befriend(*map(user_named, names))
            requests = [request(name, due_at=datetime.now(UTC)) for name in names]
            topic = LANES["transactional"].name
            await publisher.publish([Outgoing(topic, each.to.encode(), each.to_json()) for each in requests])
            wanted.extend(user_named(name) for name in names)
            await asyncio.sleep(0.1)

    publishing = asyncio.create_task(publish())
    try:
        yield wanted
    finally:
        enough.set()
        await publishing
        await publisher.stop()


async def billed(server: LineServer) -> int:
    """How many messages LINE has counted."""
    return int(str((await server.stats())["billed"]))


async def test_fault_14_dispatchers_come_and_go_and_the_limit_is_kept_and_used(
    kafka_bootstrap: str, postgres_dsn: str
) -> None:
    """No second above the limit, at least 70% of it used while partitions change hands, and each message once."""
    await create_topics(kafka_bootstrap)
    async with open_bench(postgres_dsn) as bench, line_server() as server, AsyncExitStack() as everything:
        settings = DispatcherSettings(
            kafka_bootstrap_servers=kafka_bootstrap,
            postgres_dsn=postgres_dsn,
            line_api_url=server.url,
            push_rate=LIMIT,
            max_in_flight=50,
        )

        async def started() -> AsyncExitStack:
            stack = await everything.enter_async_context(AsyncExitStack())
            app = create_app(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            return stack

        fleet = [await started() for _ in range(3)]
        async with requesting(kafka_bootstrap, server) as wanted:
            while await billed(server) < LIMIT:
                await asyncio.sleep(0.05)
            began, before = time.monotonic(), await billed(server)
            for change in range(CHANGES):
                await asyncio.sleep(PAUSE)
                if change % 2 == 0:
                    await fleet.pop(0).aclose()
                else:
                    fleet.append(await started())
            await asyncio.sleep(PAUSE)
            used = (await billed(server) - before) / (time.monotonic() - began) / LIMIT
        async with asyncio.timeout(120):
            while await bench.states() != {"accepted": len(wanted)}:
                await asyncio.sleep(0.1)
        stats = await server.stats()
        assert stats["maxRequestsInOneSecond"]["push"] <= LIMIT  # type: ignore[index]
        assert used >= 0.7
        sent = Counter(str(each["to"][0]) for each in await _all(server, len(wanted)))  # type: ignore[index]
        assert sent == Counter(wanted)
        assert await bench.reserved() == stats["billed"] == len(wanted)


async def _all(server: LineServer, number: int) -> list[dict[str, object]]:
    taken: list[dict[str, object]] = []
    while len(taken) < number:
        taken += await server.accepted(after=int(str(taken[-1]["seq"])) if taken else 0)
    return taken
