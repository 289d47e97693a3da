"""Waiting deliveries out to LINE: the dispatcher's own pump, ledger and HTTP client, against the simulator's process.

Floor (issue "Dispatcher: at LINE's own limit"): the same client library pushing one fixed body, as many at a time,
with nothing read, decided, rendered or stored; at the lower rate it keeps that rate.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import aiohttp

from benchmarks.figures import Bench, Figure, Stopwatch
from benchmarks.rooms import Pool, befriend, open_database, open_simulator
from todoke_dispatcher.adapters.deliveries import count_unsettled
from todoke_dispatcher.adapters.line import PUSH_PATH, open_line_of
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.pump import pumping
from todoke_dispatcher.settings import HTTP_TIMEOUT_SECONDS, DispatcherSettings
from todoke_shared.accounts import SIMULATOR_TOKEN, load_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.requests import MessageRequest, TemplateRef
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool

MESSAGES, FRIENDS, BATCH = 10_000, 1_000, 500
LINE_RATE, NO_LIMIT = 2_000, 1_000_000
_NAMES = UUID("5f0c1c1e-0000-4000-8000-00000000be7c")
_CART = {"cart": [{"product_id": "sencha", "name": "静岡煎茶 100g", "quantity": 1, "price": 1080}]}


def limited(rate: int) -> str:
    """A limit in words."""
    return "no limit" if rate == NO_LIMIT else f"limit {rate:,}/s"


def requests(friends: Sequence[str], rate: int) -> list[Record]:
    """So many requests for the first cart reminder, as they lie in the topic."""
    template = TemplateRef(campaign="cart-abandonment", version=1, message="first-reminder", variables=_CART)
    now, first = datetime.now(UTC), 0 if rate == LINE_RATE else MESSAGES
    return [
        Record(
            *(REQUESTS_MARKETING.name, 0, offset, None),
            MessageRequest(
                id=uuid5(_NAMES, str(offset)),
                account="main",
                to=friends[offset % len(friends)],
                campaign="cart-abandonment",
                due_at=now,
                template=template,
            ).to_json(),
        )
        for offset in range(first, first + MESSAGES)
    ]


async def pump_all(bench: Bench, dispatcher: Dispatcher, pool: Pool, settings: DispatcherSettings) -> Stopwatch:
    """Pump until nothing waits, or the time is up."""
    watch, left = Stopwatch(), MESSAGES
    with bench.shown(f"pushes, {limited(settings.push_rate)}", MESSAGES) as done:
        started = time.perf_counter()
        with watch.lap():
            async with pumping(dispatcher, settings.max_in_flight):
                while left and time.perf_counter() - started < bench.seconds:
                    await asyncio.sleep(0.05)
                    async with pool.acquire() as connection:
                        now_left = sum((await count_unsettled(connection)).values())
                    done(left - now_left)
                    left = now_left
        async with pool.acquire() as connection:  # what was under way has ended in the drain
            watch.items = MESSAGES - sum((await count_unsettled(connection)).values())
    return watch


async def push_bare(bench: Bench, url: str, friend: str, rate: int, concurrency: int) -> Stopwatch:
    """The floor: fixed bodies, each with a retry key of its own, at most `rate` a second."""
    body = dumps({"to": friend, "messages": [{"type": "text", "text": "カートにお忘れものはありませんか？" * 3}]})
    watch, next_number = Stopwatch(), iter(range(MESSAGES))
    with bench.shown(f"bare pushes, {limited(rate)}", MESSAGES) as done:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency), cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            started = time.perf_counter()

            async def push_some() -> None:
                for number in next_number:
                    await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
                    headers = {
                        "Authorization": f"Bearer {SIMULATOR_TOKEN}",
                        "Content-Type": "application/json",
                        "X-Line-Retry-Key": str(uuid4()),
                    }
                    async with http.post(url + PUSH_PATH, data=body, headers=headers) as answer:
                        await answer.read()
                        answer.raise_for_status()
                    watch.items += 1
                    if time.perf_counter() - started > bench.seconds:
                        return

            with watch.lap():
                await asyncio.gather(*(push_some() for _ in range(concurrency)))
        done(watch.items)
    return watch


async def run(bench: Bench) -> list[Figure]:
    """At LINE's rate, and as fast as it goes."""
    figures = []
    async with open_simulator() as simulator, aiohttp.ClientSession() as http:
        friends = await befriend(http, simulator.url, FRIENDS)
        for rate in (LINE_RATE, NO_LIMIT):
            settings = DispatcherSettings(
                postgres_dsn="postgresql://unused", kafka_bootstrap_servers="unused", push_rate=rate
            )
            floor = await push_bare(bench, simulator.url, friends[0], rate, settings.max_in_flight)
            ours = await _ours(bench, simulator.url, settings, requests(friends, rate))
            figures.append(
                bench.rates(f"pushes, {limited(rate)}", "messages/s", ours, floor, f"{ours.items:,} messages")
            )
    return figures


async def _ours(bench: Bench, url: str, settings: DispatcherSettings, records: Sequence[Record]) -> Stopwatch:
    config = load_config(None)
    async with (
        open_database() as dsn,
        await open_pool(dsn, application="dispatcher", schema="dispatcher") as pool,
        open_line_of(
            url, config.accounts, connections=settings.max_in_flight, timeout_seconds=HTTP_TIMEOUT_SECONDS
        ) as line,
    ):
        dispatcher = Dispatcher(
            pool,
            await open_clock(pool),
            cluster="benchmark",
            catalogue=CampaignCatalogue(pool),
            line=line,
            config=config,
            settings=settings,
            wake_relay=lambda: None,
        )
        take = dispatcher.take_requests("marketing")
        for start in range(0, len(records), BATCH):
            await take(records[start : start + BATCH])
        return await pump_all(bench, dispatcher, pool, settings)
