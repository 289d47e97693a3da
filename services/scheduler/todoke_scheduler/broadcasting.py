"""Scheduled campaigns -> broadcasts -> the enrolments and requests of their audience, a chunk of ids a transaction.

May block: on PostgreSQL. May lose: nothing. May repeat: nothing; how far a broadcast has come is written with what was
done of it.
"""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import asyncpg
from msgspec.structs import replace

from todoke_scheduler.adapters import broadcasts
from todoke_scheduler.domain.broadcasts import (
    LAST,
    RATE_CHUNK,
    Broadcast,
    begin,
    kept_quiet,
    next_at,
    next_stretch,
    over,
)
from todoke_scheduler.domain.guards import Standing
from todoke_scheduler.domain.schedules import is_occurrence, to_plan
from todoke_scheduler.letting_in import Engine, Entering
from todoke_scheduler.reading_ahead import ReadingAhead
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.errors import for_the_log
from todoke_shared.postgres.stream import Connection
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.broadcasts")

PLAN_SECONDS = 1.0
"""How soon a published schedule is planned: as soon as its campaign is in force."""
PLAN_AT_ONCE, PLAN_SHARE = 100, 10
"""Thousands of schedules take a second to go through: timers have their turn meanwhile, and most of the time."""
POLL_SECONDS = 0.1
"""How soon a broadcast is found that is due, or that another scheduler has left."""
_SHOP = "main"
_NO_SHOPS: Mapping[str, str] = {}
UNREADABLE_REST = timedelta(minutes=1)
"""A version that this release cannot read is left, for a minute, to one that can."""
FAILED_REST = timedelta(seconds=5)
"""What failed by chance soon goes on; what always does costs the others little."""


class Broadcaster:
    """Plans broadcasts and carries them out. `wake` is called after each commit. `shops`: of each account."""

    def __init__(  # noqa: PLR0913 - a part each
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        catalogue: CampaignCatalogue,
        engine: Engine,
        *,
        wake: Callable[[], None],
        shops: Mapping[str, str] = _NO_SHOPS,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._engine = engine
        self._wake = wake
        self._shops = shops
        self._reading = ReadingAhead(pool)

    async def plan_all(self) -> None:
        """A round of the loop that plans."""
        began = time.monotonic()
        await self.plan()
        await asyncio.sleep(max(PLAN_SECONDS, PLAN_SHARE * (time.monotonic() - began)))

    async def go_on_with_all(self) -> None:
        """A round of the loop that carries out."""
        while await self.go_on():
            pass
        await asyncio.sleep(POLL_SECONDS)

    async def plan(self) -> None:
        """Have planned what the schedules in force say, and nothing else."""
        now, wall = self._clock.now(), self._clock.wall()
        due: list[tuple[str, datetime]] = []
        for number, one in enumerate(await broadcasts.scheduled(self._pool)):
            if number % PLAN_AT_ONCE == 0:
                await asyncio.sleep(0)
            if (published := self._in_force(one.campaign, one.version)) is not None:
                published_at = now - (wall - one.published_at) * self._clock.rate
                due += [(one.campaign, instant) for instant in to_plan(published.campaign, published_at, now)]
        await broadcasts.plan(self._pool, due)
        gone = [
            one.id
            for one in await broadcasts.planned(self._pool)
            if (published := self._in_force(one.campaign, one.version)) is not None
            and not is_occurrence(published.campaign, one.due_at)
        ]
        await broadcasts.unplan(self._pool, gone)

    async def go_on(self) -> bool:
        """Carry out a chunk of a broadcast that can go on; whether there was one. One that fails is left alone a while.

        It would else be the one that waited longest, again and again, and no other would have its turn.
        """
        now, broadcast = self._clock.now(), None
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                broadcast = await broadcasts.claim(connection, now)
                if broadcast is not None:
                    await self._carry_on(connection, broadcast, now)
        except Exception as error:
            if broadcast is None or isinstance(error, ConnectionError):
                raise  # PostgreSQL is away: for all
            metrics.LOOP_ERRORS.labels("broadcasts", type(error).__name__).inc()
            logger.error("broadcast %s of %s failed (%s)", broadcast.id, broadcast.campaign, for_the_log(error))
            await broadcasts.put_off(self._pool, broadcast.id, now + FAILED_REST)
            return True
        if broadcast is not None:
            self._wake()
        return broadcast is not None

    def _in_force(self, campaign: str, version: int) -> PublishedCampaign | None:
        """The version in force; None while it is too new for our last look, or for this release."""
        published = self._catalogue.latest(campaign)
        return published if published is not None and published.version == version else None

    async def _version(self, connection: Connection, broadcast: Broadcast) -> PublishedCampaign | None:
        """The version that a broadcast is of: the one it began with, or the one in force."""
        if broadcast.version is None:
            return self._catalogue.latest(broadcast.campaign)
        await self._catalogue.fetch({(broadcast.campaign, broadcast.version)}, connection)
        return self._catalogue.known(broadcast.campaign, broadcast.version)

    async def _carry_on(self, connection: Connection, broadcast: Broadcast, now: datetime) -> None:
        published = await self._version(connection, broadcast)
        if published is None:
            await broadcasts.move(connection, replace(broadcast, next_at=now + UNREADABLE_REST))
            return
        account = published.campaign.account
        standing = self._engine.standing(published, self._shops.get(account, _SHOP))
        if broadcast.state == "planned":
            begun = begin(broadcast, published, standing, now)
            if isinstance(begun, str):
                left_out = replace(broadcast, state="cancelled")
                await broadcasts.move(connection, left_out, ended_at=now, reason=begun)
                return
            broadcast = begun
        if (why := over(published, now)) is not None:
            await broadcasts.move(connection, replace(broadcast, state="done"), ended_at=now, reason=why)
            return
        rested = kept_quiet(broadcast, published, standing, now)
        if rested.next_at > now:
            await broadcasts.move(connection, rested)
            return
        await self._let_in(connection, broadcast, published, standing, now)

    async def _let_in(
        self,
        connection: Connection,
        broadcast: Broadcast,
        published: PublishedCampaign,
        standing: Standing,
        now: datetime,
    ) -> None:
        """The people of the next ids."""
        entering = Entering(self._engine, connection, broadcast, published, standing, now)
        stretch = next_stretch(broadcast, now)
        chunk = await self._reading.read(connection, broadcast, stretch, entering.asked(), now)
        tally = dataclasses.replace(await entering.let_in(chunk.people), looked_at=chunk.ids)
        at = next_at(broadcast, tally.entered, now)
        if chunk.end == stretch.up_to != LAST:
            at = max(at, now + RATE_CHUNK)
        moved = replace(broadcast, cursor=chunk.end, next_at=at)
        if chunk.end == LAST:
            await broadcasts.move(connection, replace(moved, state="done"), tally, ended_at=now)
        else:
            await broadcasts.move(connection, moved, tally)
