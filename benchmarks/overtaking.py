"""Transactional messages behind a broadcast of 100,000 pushes: from the ledger until LINE's answer is recorded.

Floor: the same messages with nothing before them.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp

from benchmarks.dispatcher import cart_reminder
from benchmarks.figures import Bench, Figure, percentile
from benchmarks.rooms import befriend, open_database, open_simulator
from benchmarks.to_line import IN_FLIGHT, open_dispatcher, take_all
from todoke_dispatcher.pump import pumping
from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.contracts.topics import LANES
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

BROADCAST, FRIENDS = 100_000, 1_000
ORDERS, EVERY_SECONDS = 200, 0.05
LATE_SECONDS = 5.0
_TIMES = """
SELECT (extract(epoch FROM changed_at - received_at) * 1000)::float8 FROM deliveries
 WHERE lane = 'transactional' AND state = 'accepted'
"""


def request(friend: str, number: int, lane: Lane) -> Record:
    """A cart reminder of its own, in a lane."""
    asked = MessageRequest(
        id=uuid4(),
        account="main",
        to=friend,
        campaign="cart-abandonment",
        due_at=datetime.now(UTC),
        template=cart_reminder(number),
    )
    return Record(LANES[lane].name, 0, number, None, asked.to_json())


async def measure(bench: Bench, url: str, friends: Sequence[str], before: int) -> list[float]:
    """Milliseconds of transactional messages, with so many others waiting."""
    async with (
        open_database() as dsn,
        await open_pool(dsn, application="dispatcher", schema="dispatcher") as pool,
        open_dispatcher(pool, url) as dispatcher,
    ):
        waiting = [request(friends[number % FRIENDS], number, "marketing") for number in range(before)]
        await take_all(dispatcher, waiting)
        take = dispatcher.take_requests("transactional")
        words = f"orders behind {before:,} messages"
        async with pumping(dispatcher, IN_FLIGHT):
            await asyncio.sleep(1.0)  # until the broadcast is under way
            with bench.shown(words, ORDERS) as done:
                for number in range(ORDERS):
                    await take([request(friends[number % FRIENDS], number, "transactional")])
                    await asyncio.sleep(EVERY_SECONDS)
                    done(1)
            await asyncio.sleep(LATE_SECONDS)
            times = [row[0] for row in await pool.fetch(_TIMES)]
    if len(times) != ORDERS:
        raise RuntimeError(f"{ORDERS - len(times)} of {ORDERS} have not come within {LATE_SECONDS:g} s")
    return times


async def run(bench: Bench) -> list[Figure]:
    """Behind nothing, and behind a broadcast."""
    async with open_simulator() as simulator, aiohttp.ClientSession() as http:
        friends = await befriend(http, simulator.url, FRIENDS)
        floor = await measure(bench, simulator.url, friends, 0)
        ours = await measure(bench, simulator.url, friends, BROADCAST)
    return [
        Figure(
            bench.name,
            f"a transactional message behind {BROADCAST:,}, p{share * 100:.0f}",
            "ms",
            percentile(ours, share),
            percentile(floor, share),
        )
        for share in (0.5, 0.99)
    ]
