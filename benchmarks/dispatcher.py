"""Waiting deliveries out to LINE: the dispatcher's own pump, ledger and HTTP client, against the simulator's process.

Floor (issue "Dispatcher: at LINE's own limit"): the same client library pushing one fixed body, as many at a time,
with nothing read, decided, rendered or stored; at the lower rate it keeps that rate.
"""

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID, uuid5

import aiohttp

from benchmarks.figures import Bench, Figure, Stopwatch
from benchmarks.rooms import befriend, open_database, open_simulator
from benchmarks.to_line import NO_LIMIT, BareLine, open_dispatcher, pump_all, take_all
from todoke_dispatcher.adapters.line import PUSH_PATH
from todoke_shared.contracts.requests import MessageRequest, TemplateRef
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

MESSAGES, FRIENDS = int(os.environ.get("TODOKE_BENCH_MESSAGES", "10000")), 1_000
LINE_RATE = 2_000
CASES = ((LINE_RATE, 1), (NO_LIMIT, 1), (LINE_RATE, 3))
"""The limit, and how many dispatchers keep it together."""
_NAMES = UUID("5f0c1c1e-0000-4000-8000-00000000be7c")


def cart_reminder(number: int) -> TemplateRef:
    """Of a cart that nobody else has: equal messages would leave together."""
    item = {"product_id": "sencha", "name": f"静岡煎茶 {number}g", "quantity": 1, "price": 1080}
    return TemplateRef(campaign="cart-abandonment", version=1, message="first-reminder", variables={"cart": [item]})


def limited(rate: int) -> str:
    """A limit in words."""
    return "no limit" if rate == NO_LIMIT else f"limit {rate:,}/s"


def requests(friends: Sequence[str], first: int) -> list[Record]:
    """So many requests for the first cart reminder, each of another cart, as they lie in the topic."""
    now = datetime.now(UTC)
    return [
        Record(
            *(REQUESTS_MARKETING.name, 0, offset, None),
            MessageRequest(
                id=uuid5(_NAMES, str(offset)),
                account="main",
                to=friends[offset % len(friends)],
                campaign="cart-abandonment",
                due_at=now,
                template=cart_reminder(offset),
            ).to_json(),
        )
        for offset in range(first, first + MESSAGES)
    ]


async def run(bench: Bench) -> list[Figure]:
    """At LINE's rate, and as fast as it goes."""
    figures = []
    async with open_simulator() as simulator, aiohttp.ClientSession() as http:
        friends = await befriend(http, simulator.url, FRIENDS)
        text = {"type": "text", "text": "カートにお忘れものはありませんか？" * 3}
        body = dumps({"to": friends[0], "messages": [text]})
        for number, (rate, dispatchers) in enumerate(CASES):
            bare = BareLine(simulator.url + PUSH_PATH, rate)
            floor = await bare.send(bench, f"bare pushes, {limited(rate)}", body, MESSAGES)
            ours = await _ours(bench, simulator.url, rate, dispatchers, requests(friends, number * MESSAGES))
            what = f"pushes, {limited(rate)}" + (f", {dispatchers} dispatchers" if dispatchers > 1 else "")
            figures.append(bench.rates(what, "messages/s", ours, floor, f"{ours.items:,} messages"))
    return figures


async def _ours(bench: Bench, url: str, rate: int, dispatchers: int, records: Sequence[Record]) -> Stopwatch:
    async with (
        open_database() as dsn,
        await open_pool(dsn, application="dispatcher", schema="dispatcher") as pool,
        AsyncExitStack() as stack,
    ):
        fleet = [
            await stack.enter_async_context(open_dispatcher(pool, url, push_rate=rate)) for _ in range(dispatchers)
        ]
        await take_all(fleet[0], records)
        return await pump_all(bench, f"pushes, {limited(rate)}", fleet, pool, MESSAGES)
