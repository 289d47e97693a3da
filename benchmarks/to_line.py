"""What measures of the dispatcher share: one that is wired as its process wires it, its pump, and their floor.

The floor is the same client library sending fixed bodies, with nothing read, decided, rendered or stored.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import aiohttp

from benchmarks.figures import Bench, Stopwatch
from benchmarks.rooms import Pool
from todoke_dispatcher.adapters.deliveries import count_unsettled
from todoke_dispatcher.adapters.line import open_line_of
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.pump import pumping
from todoke_dispatcher.settings import HTTP_TIMEOUT_SECONDS, DispatcherSettings
from todoke_shared.accounts import SIMULATOR_TOKEN, load_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock

BATCH = 500
NO_LIMIT = 1_000_000
IN_FLIGHT: int = DispatcherSettings.model_fields["max_in_flight"].default


@dataclass(frozen=True)
class BareLine:
    """Requests to one of LINE's paths, at most `rate` a second."""

    url: str
    rate: int

    async def send(self, bench: Bench, words: str, body: bytes, requests: int) -> Stopwatch:
        """The same body so many times, each with a retry key of its own, until the time is up."""
        watch, numbers = Stopwatch(), iter(range(requests))
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
        with bench.shown(words, requests) as done:
            async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
                started = time.perf_counter()

                async def send_some() -> None:
                    for number in numbers:
                        await asyncio.sleep(max(0.0, started + number / self.rate - time.perf_counter()))
                        async with http.post(self.url, data=body, headers=_headers()) as answer:
                            await answer.read()
                            answer.raise_for_status()
                        watch.items += 1
                        if time.perf_counter() - started > bench.seconds:
                            return

                with watch.lap():
                    await asyncio.gather(*(send_some() for _ in range(IN_FLIGHT)))
            done(watch.items)
        return watch


def _headers() -> dict[str, str]:
    return {
        "Authorization": f"Bearer {SIMULATOR_TOKEN}",
        "Content-Type": "application/json",
        "X-Line-Retry-Key": str(uuid4()),
    }


@asynccontextmanager
async def open_dispatcher(pool: Pool, url: str, **settings: int) -> AsyncIterator[Dispatcher]:
    """A dispatcher as its own process would wire it, on a LINE at `url`."""
    config = load_config(None)
    wanted = DispatcherSettings.model_validate(
        {"postgres_dsn": "postgresql://unused", "kafka_bootstrap_servers": "unused", **settings}
    )
    async with open_line_of(
        url, config.accounts, connections=wanted.max_in_flight, timeout_seconds=HTTP_TIMEOUT_SECONDS
    ) as line:
        yield Dispatcher(
            pool,
            await open_clock(pool),
            cluster="benchmark",
            catalogue=CampaignCatalogue(pool),
            line=line,
            config=config,
            settings=wanted,
            wake_relay=lambda: None,
        )


async def take_all(dispatcher: Dispatcher, records: Sequence[Record]) -> None:
    """Hand it all of these, in batches as they are read from the topic."""
    take = dispatcher.take_requests("marketing")
    for start in range(0, len(records), BATCH):
        await take(records[start : start + BATCH])


async def pump_all(bench: Bench, words: str, dispatchers: Sequence[Dispatcher], pool: Pool, number: int) -> Stopwatch:
    """Have them all pump until none of `number` deliveries waits, or the time is up."""
    watch, left = Stopwatch(), number
    with bench.shown(words, number) as done:
        started = time.perf_counter()
        with watch.lap():
            async with AsyncExitStack() as stack:
                for dispatcher in dispatchers:
                    await stack.enter_async_context(pumping(dispatcher, IN_FLIGHT))
                while left and time.perf_counter() - started < bench.seconds:
                    await asyncio.sleep(min(1.0, 0.05 + left / 50_000))  # to count many takes PostgreSQL's time
                    now_left = await _unsettled(pool)
                    done(left - now_left)
                    left = now_left
        watch.items = number - await _unsettled(pool)  # what was under way has ended in the drain
    return watch


async def _unsettled(pool: Pool) -> int:
    async with pool.acquire() as connection:
        return sum((await count_unsettled(connection)).values())
