"""A shop on EC-CUBE and an ingest that asks it back, in a time that stands still until it is moved."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg

from tests.support import eccube_shop as ec
from tests.unit.ingest.stand_ins import NOW, CheckedTopics
from todoke_ingest.answers import Answer
from todoke_ingest.handlers.fetching import fetch_some, platforms
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.platforms import take_eccube
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.postgres.pool import open_pool
from todoke_shared.shops import EcCube, Shop
from todoke_shared.telemetry import metrics

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Story:
    """A shop, an ingest beside it, and the time, which stands still until it is moved."""

    shop: ec.EcCubeShop
    intake: Intake
    topics: CheckedTopics
    clock: FakeClock
    pool: Pool

    async def deliver(self, *notices: tuple[str, int, str]) -> Answer:
        """The shop's webhook."""
        body, signature = ec.webhook(*notices)
        headers = {"x-eccube-signature": signature}
        return await take_eccube(self.intake, DoorRequest(body, headers, {"shop": "main"}))

    async def fetch(self) -> int:
        """One round of the loop, without its pause."""
        [platform] = platforms(self.intake)
        return await fetch_some(self.intake, platform)

    async def fetch_all(self) -> None:
        """Rounds until nothing is due."""
        while await self.fetch():
            pass

    def later(self, by: timedelta) -> None:
        """Time passes."""
        self.clock.move_to(self.clock.wall() + by)

    async def waiting(self) -> list[str]:
        """What still is to be fetched, or looked at again."""
        rows = await self.pool.fetch("SELECT entity, entity_id FROM fetches ORDER BY entity, entity_id::int")
        return [f"{row['entity']}/{row['entity_id']}" for row in rows]

    def told(self) -> list[tuple[str, str]]:
        """Type and id of each event in the topic, in order."""
        values = [json.loads(record.value or b"") for record in self.topics.records if record.topic == EC_EVENTS.name]
        return [(str(value["type"]), str(value["id"])) for value in values]


@asynccontextmanager
async def open_story(dsn: str) -> AsyncIterator[Story]:
    """A shop that has sold nothing yet."""
    clock, topics = FakeClock(NOW), CheckedTopics()
    async with (
        await open_pool(dsn, application="eccube-test", schema="ingest") as pool,
        ec.eccube_shop(clock) as shop,
    ):
        yield Story(shop, Intake(topics, clock, config(shop.url), pool), topics, clock, pool)


def config(url: str, *, refresh_token: str = ec.FIRST_REFRESH_TOKEN) -> Config:
    """One shop on EC-CUBE."""
    eccube = EcCube(
        webhook_secrets=(ec.WEBHOOK_SECRET,),
        url=url,
        client_id=ec.CLIENT_ID,
        client_secret=ec.CLIENT_SECRET,
        refresh_token=refresh_token,
    )
    return Config(accounts={}, shops={"main": Shop(eccube=eccube), "other": Shop()})


def fetched(outcome: str) -> float:
    """How often a fetch came to this."""
    return float(metrics.FETCHES.labels("eccube", "main", outcome)._value.get())


async def until(is_so: Callable[[], bool]) -> None:
    """Return once it is."""
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)
