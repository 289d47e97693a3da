"""Fault test 14 of RELIABILITY: three dispatchers that come and go share LINE's limit, stay below it and use it.

TODOKE_TEST_LONG=1: somebody goes or comes every 20 seconds; else every two.
"""

import asyncio
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.support.deliveries import request, user_named
from tests.support.dispatching import open_bench
from tests.support.line_server import LineServer, line_server
from todoke_dispatcher.adapters.line import LineClient
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.main import create_app
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.contracts.topics import LANES
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing

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
            more = LIMIT // 8 if wanted else 4 * LIMIT  # nobody reads while partitions change hands
            names = [f"r{len(wanted) + index}" for index in range(more)]
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


@pytest.fixture
def sent_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each push left, whoever sent it: on a busy machine they arrive in heaps, which is nobody's doing."""
    instants: list[float] = []
    push = LineClient.push

    async def watched(self: LineClient, account: str, retry_key: UUID, body: bytes) -> Answer:
        instants.append(time.monotonic())
        return await push(self, account, retry_key, body)

    monkeypatch.setattr(LineClient, "push", watched)
    return instants


def busiest_second(instants: list[float]) -> int:
    """The most of them within one second, wherever it begins."""
    ordered = sorted(instants)
    return max(bisect_left(ordered, first + 1.0) - index for index, first in enumerate(ordered))


async def test_fault_14_dispatchers_come_and_go_and_the_limit_is_kept_and_used(
    own_kafka: str, postgres_dsn: str, sent_at: list[float]
) -> None:
    """No second above the limit; each message once; in the long form, at least 70% of the limit used."""
    async with open_bench(postgres_dsn) as bench, line_server() as server, AsyncExitStack() as everything:
        settings = DispatcherSettings(
            kafka_bootstrap_servers=own_kafka,
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
        async with requesting(own_kafka, server) as wanted:
            while await server.count("billed") < LIMIT:
                await asyncio.sleep(0.05)
            began, before = time.monotonic(), await server.count("billed")
            for change in range(CHANGES):
                await asyncio.sleep(PAUSE)
                if change % 2 == 0:
                    await fleet.pop(0).aclose()
                else:
                    fleet.append(await started())
            await asyncio.sleep(PAUSE)
            used = (await server.count("billed") - before) / (time.monotonic() - began) / LIMIT
        async with asyncio.timeout(120):
            while await bench.states() != {"accepted": len(wanted)}:
                await asyncio.sleep(0.1)
        stats = await server.stats()
        assert busiest_second(sent_at) <= LIMIT
        assert used >= 0.7 or not LONG, "the short form measures how busy the machine is"
        sent = Counter(str(each["to"][0]) for each in await _all(server, len(wanted)))  # type: ignore[index]
        assert sent == Counter(wanted)
        assert await bench.reserved() == stats["billed"] == len(wanted)


async def _all(server: LineServer, number: int) -> list[dict[str, object]]:
    taken: list[dict[str, object]] = []
    while len(taken) < number:
        taken += await server.accepted(after=int(str(taken[-1]["seq"])) if taken else 0)
    return taken
