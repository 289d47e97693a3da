"""Waiting deliveries out to LINE: the dispatcher's own pump, ledger and HTTP client, against the simulator's process.

Floor (issue "Dispatcher: at LINE's own limit"): the same client library pushing one fixed body, as many at a time,
with nothing read, decided, rendered or stored; at the lower rate it keeps that rate.
Beside each figure stands the most that the simulator was asked in one second, wherever it begins. `--seconds 60` for a
minute of each; `TODOKE_BENCH_MESSAGES`: other than as many as LINE's rate takes in the time.
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

FRIENDS = 1_000
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


def requests(friends: Sequence[str], first: int, number: int) -> list[Record]:
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
        for offset in range(first, first + number)
    ]


async def run(bench: Bench) -> list[Figure]:
    """At LINE's rate, and as fast as it goes."""
    figures = []
    number = int(os.environ.get("TODOKE_BENCH_MESSAGES", LINE_RATE * bench.seconds))
    async with open_simulator() as simulator, aiohttp.ClientSession() as http:
        for case, (rate, dispatchers) in enumerate(CASES):
            friends = await befriend(http, simulator.url, FRIENDS)
            floor = await _floor(bench, simulator.url, rate, friends[0], number)
            await http.post(f"{simulator.url}/sim/reset")  # what the floor has asked is not ours
            friends = await befriend(http, simulator.url, FRIENDS)
            ours = await _ours(bench, simulator.url, rate, dispatchers, requests(friends, case * number, number))
            what = f"pushes, {limited(rate)}" + (f", {dispatchers} dispatchers" if dispatchers > 1 else "")
            remark = f"{ours.items:,} messages, {await busiest_second(http, simulator.url):,} in the busiest second"
            figures.append(bench.rates(what, "messages/s", ours, floor, remark))
    return figures


async def busiest_second(http: aiohttp.ClientSession, url: str) -> int:
    """The most pushes that have reached the simulator within one second, wherever it begins."""
    async with http.get(f"{url}/sim/stats") as answer:
        told = await answer.json()
    return int(told["accounts"]["main"]["maxRequestsInOneSecond"]["push"])


async def _floor(bench: Bench, url: str, rate: int, friend: str, number: int) -> Stopwatch:
    body = dumps({"to": friend, "messages": [{"type": "text", "text": "カートにお忘れものはありませんか？" * 3}]})
    return await BareLine(url + PUSH_PATH, rate).send(bench, f"bare pushes, {limited(rate)}", body, number)


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
        return await pump_all(bench, f"pushes, {limited(rate)}", fleet, pool, len(records))
