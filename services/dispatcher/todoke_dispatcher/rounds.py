"""One account's claim: what must be pushed, then stored multicasts, then what waits and may leave with others.

Each part is a transaction of its own, in the order of its urgency: the transactional lane is among the pushes.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters import crowds, deliveries, multicasts
from todoke_dispatcher.adapters.multicasts import Fresh
from todoke_dispatcher.claiming import Attempt, Claimer, ClaimTime, sort_due
from todoke_dispatcher.crowding import CROWDS_AT_ONCE, CrowdFormer, sort_crowds
from todoke_dispatcher.domain.conclude import Sent
from todoke_dispatcher.domain.decide import Channel, worth_asking, worth_sending
from todoke_dispatcher.domain.delivery import KEY_LIFE
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
        limits: Mapping[str, int | None],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._claimer = Claimer(settings, limits)
        self._multicasts = MulticastClaimer(settings, limits)
        self._crowds = CrowdFormer(settings, limits)
        self._former = Former(settings, limits, self._claimer)

    async def claim(self, channel: Channel, limit: int, claimed: Claimed) -> None:
        """Add up to `limit` attempts to `claimed`, as each part commits: an error in a later part strands none."""
        end = len(claimed.attempts) + limit
        await self._with_versions(lambda known: self._push(channel, limit, known, claimed))
        waiting = await self._multicast(channel, end - len(claimed.attempts), claimed)
        room = end - len(claimed.attempts)
        if waiting or room <= 0:
            return
        formed = claimed.formed
        await self._with_versions(lambda known: self._form_crowds(channel, room, known, claimed))
        await self._with_versions(lambda known: self._form(channel, room, known, claimed))
        if claimed.formed > formed:
            await self._multicast(channel, end - len(claimed.attempts), claimed)

    async def give_up(self, account: str) -> Told:
        """List as unknown what LINE may have and whose key's life is over, without asking LINE for anything."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            since = at.wall - KEY_LIFE
            groups = await multicasts.lock_over(connection, account, since, at.wall)
            lost = await deliveries.lock_over(connection, account, since, at.wall)
            group_ends = [(each, worth_asking(each, now=at.now, wall=at.wall)) for each in groups]
            ends = [(each, worth_sending(each, now=at.now, wall=at.wall, has_blocked=False)) for each in lost]
            told = await settle_groups(connection, _ended(group_ends), now=at.now, wall=at.wall)
            return told + await settle(connection, _ended(ends), now=at.now, wall=at.wall)

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
            attempts, standing = await self._claimer.begin(connection, channel, found.sendable, self._clock.wall())
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

    async def _form_crowds(self, channel: Channel, room: int, looked_up: _Versions, claimed: Claimed) -> _Versions:
        """Store the multicasts of crowds that wait. Gives the versions without which nothing was."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            waiting = await crowds.lock_waiting(connection, channel.account, at.wall, min(room, CROWDS_AT_ONCE))
            if not waiting:
                return frozenset()
            found = sort_crowds(waiting, Contents(Templates(self._catalogue, looked_up)), channel, at)
            if found.unread:
                return frozenset(found.unread)
            if found.unreadable:
                _tell_of_unreadable(len(found.unreadable))
            await crowds.put_off(connection, found.unreadable, at.wall + UNREADABLE_REST)
            formed = await self._crowds.form(connection, channel, found, at)
        claimed.formed += formed
        return frozenset()

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
            _tell_of_unreadable(len(messages))
        await deliveries.put_off(connection, messages, at.wall + UNREADABLE_REST)

    def _now(self) -> ClaimTime:
        return ClaimTime(self._clock.now(), self._clock.wall())


def _tell_of_unreadable(requests: int) -> None:
    logger.error("%d requests cannot be read by this release; they wait for one that can", requests)


def _ended(decided: Sequence[tuple[Sent, Sent | None]]) -> list[tuple[Sent, Sent]]:
    return [(before, after) for before, after in decided if after is not None]
