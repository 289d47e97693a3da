"""Segmenters that a test drives by hand, in a shop with a segment of people who have long not ordered."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from tests.support.shop_events import ordered
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters import audiences
from todoke_segmenter.adapters.publishing import publish
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ASLEEP = NOON + 60 * DAY
SLEEPERS = Segment(segment="sleepers", when={"last_order": {"before": "60d"}})
BUYERS = Segment(segment="buyers", when={"orders": {"at_least": 1}})
WIN_BACK = Campaign.model_validate(
    {
        "campaign": "win-back",
        "class": "marketing",
        "enter": {"on": "segment.entered", "segment": "sleepers", "again": "always"},
        "exit": [{"on": "segment.left", "segment": "sleepers"}],
        "steps": [{"send": "text"}],
        "messages": {"text": [{"type": "text", "text": "お久しぶりです"}]},
    }
)


@asynccontextmanager
async def open_segments(dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's schema, with one segment, and one campaign for who enters it."""
    async with await open_pool(dsn, application="test", schema="scheduler", size=1) as scheduler_pool:
        await publish_campaigns(scheduler_pool, [WIN_BACK])
    async with await open_pool(dsn, application="test", schema="segmenter") as opened:
        await publish(opened, [SLEEPERS])
        yield opened


class Machine:
    """A segmenter as a start makes it: it knows what the database knows."""

    def __init__(self, pool: Pool, clock: FakeClock) -> None:
        self.campaigns, self.segments, self.clock = CampaignCatalogue(pool), SegmentCatalogue(pool), clock
        self.segmenter = Segmenter(
            pool, self.campaigns, clock, cluster="test", wake=lambda: None, segments=self.segments
        )
        self.by_clock = ByClock(pool, self.segmenter.rulebook, clock, wake=lambda: None)
        self._offset = 0

    async def start(self) -> "Machine":
        """Learn what is published."""
        await self.segments.refresh()
        await self.campaigns.refresh()
        return self

    async def hear(self, *events: dict[str, Any]) -> None:
        """A batch."""
        records = [
            Record(EC_EVENTS.name, 0, self._offset + number, None, dumps(one)) for number, one in enumerate(events)
        ]
        self._offset += len(events)
        await self.segmenter.take_ec_events(records)


async def triggers_of(pool: Pool) -> list[Trigger]:
    """What waits in the outbox, in order."""
    rows = await pool.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", CUSTOMER_TRIGGERS.name)
    return [Trigger.from_json(row["value"]) for row in rows]


async def in_segment(pool: Pool, segment: str) -> list[audiences.Member]:
    """Who is listed."""
    async with pool.acquire() as connection, aclosing(audiences.list_members(connection, segment)) as members:
        return sorted([member async for member in members], key=lambda member: member.customers)


def orders(number: int, at: datetime = NOON) -> list[dict[str, Any]]:
    """One each of so many customers."""
    return [ordered(f"customer:{index}", at, f"o{index}") for index in range(number)]
