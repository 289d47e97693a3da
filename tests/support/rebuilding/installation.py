"""A live system that has taken a shop's day, to be rebuilt beside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import asyncpg

from tests.support.rebuilding.story import BEGINNING, BIRTHDAYS, CARE, NOW, PEOPLE
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_scheduler.handlers import Scheduler
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.handlers import Segmenter
from todoke_segmenter.rebuilding import Outcome, rebuild
from todoke_segmenter.rebuilding.sides import LIVE
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LINE_EVENTS, OUTCOMES
from todoke_shared.kafka.records import Record
from todoke_shared.kafka.retained import RetainedTopics
from todoke_shared.kafka.topics import cluster_id
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.source import load_segments

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ROOT = Path(__file__).parents[3]


@dataclass
class Watched:
    """What was told; `stop_after` so many steps it is interrupted."""

    steps: int = 0
    stop_after: int | None = None

    def stage(self, words: str, total: int | None) -> None:
        """Nobody looks."""

    def step(self, steps: int) -> None:
        """Count, or stop."""
        self.steps += steps
        if self.stop_after is not None and self.steps >= self.stop_after:
            raise asyncio.CancelledError


@dataclass
class Installation:
    """A live system that has taken the topics in another order than they were written in."""

    kafka: str
    dsn: str
    pool: Pool

    async def rebuild(self, watch: Watched | None = None, **choices: bool) -> Outcome:
        """As the command does."""
        return await rebuild(self.dsn, self.kafka, watch or Watched(), **choices)

    async def take_topics(self, *, in_order: bool = False) -> None:
        """In the order of time, or partition by partition, the last first: as far from it as can be."""
        catalogue, segments = CampaignCatalogue(self.pool), SegmentCatalogue(self.pool)
        cluster = await cluster_id(self.kafka)
        clock = FakeClock(datetime.now(UTC))
        segmenter = Segmenter(self.pool, catalogue, clock, cluster=cluster, wake=lambda: None, segments=segments)
        await segmenter.rulebook.learn()
        take = {
            EC_EVENTS.name: segmenter.take_ec_events,
            LINE_EVENTS.name: segmenter.take_line_events,
            OUTCOMES.name: segmenter.take_outcomes,
        }
        async with RetainedTopics(self.kafka) as topics:
            stretches = await topics.stretches([EC_EVENTS, LINE_EVENTS, OUTCOMES])
            # Clicks come last all the same: a message has gone to nobody whom the segmenter did not know.
            places = sorted(sorted(stretches, reverse=True), key=lambda place: place[0] == OUTCOMES.name)
            singly = [{place: stretches[place]} for place in places]
            for some in [stretches] if in_order else singly:
                async for chunk in topics.read(some):
                    for topic, handler in take.items():
                        if records := [record for record in chunk.records if record.topic == topic]:
                            await handler(records)

    async def forget(self) -> None:
        """As if nothing had been taken."""
        await self.pool.execute(
            "TRUNCATE people, identities, friend_status, products, account_links, consumed, inbox, outbox "
            "RESTART IDENTITY"
        )

    async def hand_on(self, leave_out: str = "") -> int:
        """The scheduler takes the triggers, but for those of one campaign. Gives the number of entries left out."""
        rows = await self.pool.fetch("SELECT key, value FROM outbox WHERE topic = $1", CUSTOMER_TRIGGERS.name)
        pool = await open_pool(self.dsn, application="rebuild-test", schema="scheduler", size=2)
        try:
            scheduler = Scheduler(
                pool, FakeClock(NOW), CampaignCatalogue(pool), cluster="of-this-test", wake=lambda: None
            )
            given = [row for row in rows if not leave_out or f'"{leave_out}"'.encode() not in row["value"]]
            for start in range(0, len(given), 200):
                some = given[start : start + 200]
                batch = [Record(CUSTOMER_TRIGGERS.name, 0, start + n, None, row["value"]) for n, row in enumerate(some)]
                await scheduler.take_triggers(batch)
            await self.pool.execute("DELETE FROM outbox")
            return sum(b'"enter"' in row["value"] for row in rows if row not in given)
        finally:
            await pool.close()

    async def ids_by_number(self) -> list[UUID]:
        """Who each customer of the story is now."""
        rows = await self.pool.fetch("SELECT identifier, person_id FROM identities WHERE identifier LIKE 'customer:%'")
        by_number = {int(row["identifier"].partition(":")[2]): row["person_id"] for row in rows}
        return [by_number[number] for number in range(PEOPLE)]


@asynccontextmanager
async def open_installation(kafka: str, dsn: str) -> AsyncIterator[Installation]:
    """The shipped campaigns and segments in force, two campaigns more, and everything taken."""
    async with await open_pool(dsn, application="rebuild-test", schema="scheduler", size=1) as scheduler:
        await publish_campaigns(scheduler, [*load_campaigns(ROOT / "campaigns"), CARE, BIRTHDAYS])
        await scheduler.execute("UPDATE campaign_versions SET published_at = $1", BEGINNING - timedelta(days=300))
    async with await open_pool(dsn, application="rebuild-test", schema=LIVE, size=4) as pool:
        await publish_segments(pool, load_segments(ROOT / "segments"))
        opened = Installation(kafka, dsn, pool)
        await opened.take_topics()
        yield opened
