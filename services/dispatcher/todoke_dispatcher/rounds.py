"""One account's claim: what must be pushed, then stored multicasts, then what waits and may leave with others.

Each part is a transaction of its own, in the order of its urgency: the transactional lane is among the pushes.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters import deliveries, multicasts
from todoke_dispatcher.adapters.multicasts import Fresh
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import Attempt, Claimer, ClaimTime, sort_due
from todoke_dispatcher.domain.decide import Channel
from todoke_dispatcher.forming import MOST_AT_ONCE, Former, SortedFresh, is_crowd, sort_fresh
from todoke_dispatcher.multicasting import GroupAttempt, MulticastClaimer
from todoke_dispatcher.recording import Told, settle, settle_groups
from todoke_dispatcher.settings import DispatcherSettings
from todoke_dispatcher.templates import Contents, Templates, Version
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import Clock
from todoke_shared.postgres.stream import Connection

logger = logging.getLogger("todoke.dispatcher")

UNREADABLE_REST = timedelta(minutes=1)
"""A rolling deploy takes minutes."""

SHORTEST_LOOK = 100
"""Also with room for fewer requests: a hundred messages may be one."""

_Versions = frozenset[Version]


@dataclass(slots=True)
class Claimed:
    """A claim's attempts, and what it settled without one. `formed`: groups stored, to be claimed in their turn."""

    attempts: list[Attempt | GroupAttempt] = field(default_factory=list)
    told: Told = field(default_factory=Counter)
    formed: int = 0

    @property
    def settled(self) -> int:
        """How many deliveries ended or stand still by the claim."""
        return self.told.total()


class Rounds:
    """Claims for one account at a time."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        catalogue: CampaignCatalogue,
        settings: DispatcherSettings,
        books: Books,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._claimer = Claimer(settings, books)
        self._multicasts = MulticastClaimer(settings, books)
        self._former = Former(settings, books, self._claimer)

    async def claim(self, channel: Channel, limit: int, claimed: Claimed) -> None:
        """Add up to `limit` attempts to `claimed`, as each part commits: an error in a later part strands none."""
        end = len(claimed.attempts) + limit
        await self._with_versions(lambda known: self._push(channel, limit, known, claimed))
        waiting = await self._multicast(channel, end - len(claimed.attempts), claimed)
        room = end - len(claimed.attempts)
        if waiting or room <= 0:
            return
        formed = claimed.formed
        await self._with_versions(lambda known: self._form(channel, room, known, claimed))
        if claimed.formed > formed:
            await self._multicast(channel, end - len(claimed.attempts), claimed)

    async def _with_versions(self, claim: Callable[[_Versions], Awaitable[_Versions]]) -> None:
        """Claim, and once more when versions of campaigns were missing. What is missing then does not exist."""
        unread = await claim(frozenset())
        if unread:
            await self._catalogue.fetch(set(unread))  # outside the transaction: it takes a connection of its own
            await claim(unread)

    async def _push(self, channel: Channel, limit: int, looked_up: _Versions, claimed: Claimed) -> _Versions:
        """Claim what is pushed by itself. Gives the versions without which nothing was claimed."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            due, unreadable = await deliveries.lock_due(connection, channel.account, at.wall, limit)
            blocked = await deliveries.blocked(connection, due)
            found = sort_due(due, Templates(self._catalogue, looked_up), at, blocked)
            if found.unread:
                return frozenset(found.unread)
            await self._put_off(connection, [*unreadable, *found.unreadable], at)
            attempts, standing = await self._claimer.begin(
                connection,
                channel,
                found.sendable,
                campaigns={delivery.campaign for delivery in due},
                wall=self._clock.wall(),
            )
            before = {delivery.message_id: delivery for delivery in due}
            changes = [(before[after.message_id], after) for after in (*found.ended, *standing)]
            told = await settle(connection, changes, now=at.now, wall=at.wall)
        claimed.attempts += attempts
        claimed.told += told
        return frozenset()

    async def _multicast(self, channel: Channel, limit: int, claimed: Claimed) -> int:
        """Claim stored multicasts. Gives how many are due and have to wait for a time slot."""
        if limit <= 0:
            return 0
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            begun = await self._multicasts.begin(connection, channel, limit, at)
            told = await settle_groups(connection, begun.changes, now=at.now, wall=at.wall)
        claimed.attempts += begun.attempts
        claimed.told += told
        return begun.waiting

    async def _form(self, channel: Channel, room: int, looked_up: _Versions, claimed: Claimed) -> _Versions:
        """Store groups of what waits, and claim pushes for the rest. Gives the versions without which nothing was."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            fresh, found = await self._look(connection, channel, room, at, looked_up)
            if found.unread:
                return frozenset(found.unread)
            await self._put_off(connection, found.unreadable, at)
            wall = self._clock.wall()
            formed = await self._former.form(connection, channel, found.candidates, fresh, room=room, wall=wall)
            told = await settle(connection, [*found.ended, *formed.standing], now=at.now, wall=at.wall)
        claimed.attempts += formed.pushes
        claimed.formed += formed.groups
        claimed.told += told
        return frozenset()

    async def _look(
        self, connection: Connection, channel: Channel, room: int, at: ClaimTime, looked_up: _Versions
    ) -> tuple[list[Fresh], SortedFresh]:
        """What waits: as much as could be pushed, and much more where most of that has company."""
        contents = Contents(Templates(self._catalogue, looked_up))
        look = max(room, SHORTEST_LOOK)
        fresh = await multicasts.lock_fresh(connection, channel.account, at.wall, look)
        found = sort_fresh(fresh, contents, at)
        if len(fresh) == look and not found.unread and is_crowd(found.candidates):
            fresh = await multicasts.lock_fresh(connection, channel.account, at.wall, max(look, MOST_AT_ONCE))
            found = sort_fresh(fresh, contents, at)
        return fresh, found

    async def _put_off(self, connection: Connection, messages: Sequence[UUID], at: ClaimTime) -> None:
        if messages:
            logger.error("%d messages cannot be read by this release; they wait for one that can", len(messages))
        await deliveries.put_off(connection, messages, at.wall + UNREADABLE_REST)

    def _now(self) -> ClaimTime:
        return ClaimTime(self._clock.now(), self._clock.wall())
