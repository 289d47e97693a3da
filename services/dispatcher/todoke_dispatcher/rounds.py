"""One account's claim: what must be pushed, then stored multicasts, then what waits and may leave with others.

Whose person has a reply token leaves with a reply instead (replying.py).
Each part is a transaction of its own, in the order of its urgency: the transactional lane is among the pushes.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters import crowds, deliveries, multicasts, replies
from todoke_dispatcher.adapters.multicasts import Fresh
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import Claimer, ClaimTime, sort_due
from todoke_dispatcher.crowding import CROWDS_AT_ONCE, CrowdFormer, sort_crowds
from todoke_dispatcher.domain.conclude import Sent
from todoke_dispatcher.domain.decide import Channel, worth_asking, worth_sending
from todoke_dispatcher.domain.delivery import KEY_LIFE
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.reply import IDLE, Waiting
from todoke_dispatcher.forming import MOST_AT_ONCE, Former, SortedFresh, is_crowd, sort_fresh
from todoke_dispatcher.linking import ClaimLinks, Linker
from todoke_dispatcher.missing import Missing, Version
from todoke_dispatcher.multicasting import MulticastClaimer
from todoke_dispatcher.recording import Told, settle, settle_groups
from todoke_dispatcher.replying import IDLE_AT_ONCE, AnyAttempt, Replier, left_by, waiting_of
from todoke_dispatcher.settings import DispatcherSettings
from todoke_dispatcher.templates import Contents, Templates
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import Clock
from todoke_shared.postgres.stream import Connection
from todoke_shared.shops import Shop

logger = logging.getLogger("todoke.dispatcher")

UNREADABLE_REST = timedelta(minutes=1)
"""A rolling deploy takes minutes."""

QUIET_REST = timedelta(minutes=5)
"""Of the shop's time: so soon after its campaign's quiet hours a message goes out at the latest."""

SHORTEST_LOOK = 100
"""Also with room for fewer requests: a hundred messages may be one."""

IDLE_LOOK = timedelta(seconds=1)
"""How often idle reply tokens are looked for: they have half a minute."""
_TRIES = 5
"""A campaign's version, its unit, the shared links of the first look and of the second, and the claim."""

_Versions = frozenset[Version]


@dataclass(slots=True)
class Claimed:
    """A claim's attempts, and what it settled without one. `formed`: groups stored, to be claimed in their turn."""

    attempts: list[AnyAttempt] = field(default_factory=list)
    told: Told = field(default_factory=Counter)
    formed: int = 0

    @property
    def settled(self) -> int:
        """How many deliveries ended or stand still by the claim."""
        return self.told.total()


class Rounds:
    """Claims for one account at a time."""

    def __init__(  # noqa: PLR0913 - the wiring of a claim
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        catalogue: CampaignCatalogue,
        settings: DispatcherSettings,
        books: Books,
        *,
        linker: Linker,
        shops: Mapping[str, Shop],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._catalogue = catalogue
        self._linker = linker
        self._shops = shops
        self._claimer = Claimer(settings, books)
        self._multicasts = MulticastClaimer(settings, books)
        self._crowds = CrowdFormer(books)
        self._former = Former(settings, books, self._claimer)
        self.recalls: Mapping[str, datetime] = {}
        """By campaign, until when what it owed is no longer wanted; whoever claims keeps it up to date."""
        self._next_idle_look = datetime.min.replace(tzinfo=UTC)
        self.replier = Replier()
        """Who replies; it wants to know when LINE gives no clear answer."""

    async def claim(self, channel: Channel, limit: int, claimed: Claimed) -> None:
        """Add up to `limit` attempts to `claimed`, as each part commits: an error in a later part strands none."""
        end = len(claimed.attempts) + limit
        await self._with_all(lambda known: self._push(channel, limit, known, claimed))
        waiting = await self._multicast(channel, end - len(claimed.attempts), claimed)
        room = end - len(claimed.attempts)
        if waiting or room <= 0:
            return
        formed = claimed.formed
        await self._with_all(lambda known: self._form_crowds(channel, room, known, claimed))
        await self._with_all(lambda known: self._form(channel, room, known, claimed))
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

    async def claim_idle(self, accounts: Collection[str], limit: int, claimed: Claimed) -> None:
        """Add replies, up to `limit`, to people of these accounts whose token lies idle while something waits."""
        at = self._now()
        if at.wall < self._next_idle_look:
            return
        self._next_idle_look = at.wall + IDLE_LOOK
        accounts = [account for account in accounts if not self.replier.rests(account, at.wall)]
        async with self._pool.acquire() as connection:
            look = min(limit, IDLE_AT_ONCE)
            found = await replies.find_idle(connection, accounts, at.wall - IDLE, at.wall, look)
        for account, people in found.items():
            await self._with_all(partial(self._reply_idle, Channel(account), people, claimed=claimed))

    async def _with_all(self, claim: Callable[[_Versions], Awaitable[Missing]]) -> None:
        """Claim, and again while something was missing: a campaign's version, then the links and units of its messages.

        A version that is missing then does not exist.
        """
        looked_up = _Versions()
        for _ in range(_TRIES):
            missing = await claim(looked_up)
            if not missing:
                return
            # Outside the transaction: it takes a connection of its own, and stays whatever becomes of the claim.
            await self._catalogue.fetch(missing.versions)
            await self._linker.make(self._pool, missing, self._clock.now())
            looked_up |= missing.versions

    async def _push(self, channel: Channel, limit: int, looked_up: _Versions, claimed: Claimed) -> Missing:
        """Claim what is pushed by itself. Gives that without which nothing was claimed."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            due, unreadable = await deliveries.lock_due(connection, channel.account, at.wall, limit)
            blocked = await deliveries.blocked(connection, due)
            templates = self._templates(looked_up, at)
            found = sort_due(due, templates, at, blocked)
            if found.missing:
                return found.missing
            waiting = waiting_of(found.sendable)
            riding = await self.replier.begin(connection, channel, waiting, templates, self._now())
            if riding.missing:
                return riding.missing
            await self._put_off(connection, [*unreadable, *found.unreadable], found.quiet, at)
            pushed = left_by(riding, found.sendable)
            attempts, standing = await self._claimer.begin(
                connection,
                channel,
                pushed,
                templates.links,
                campaigns={delivery.campaign for delivery in due},
                wall=self._clock.wall(),
            )
            before = {delivery.message_id: delivery for delivery in due}
            changes = [(before[after.message_id], after) for after in (*found.ended, *standing)]
            told = await settle(connection, changes, now=at.now, wall=at.wall)
        claimed.attempts += [*riding.attempts, *attempts]
        claimed.told += told
        return Missing()

    async def _reply_idle(
        self, channel: Channel, people: Collection[str], looked_up: _Versions, *, claimed: Claimed
    ) -> Missing:
        """Claim replies for idle tokens. Gives that without which nothing was claimed."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            riding = await self.replier.begin_idle(connection, channel, people, self._templates(looked_up, at), at)
        claimed.attempts += riding.attempts
        return riding.missing

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

    async def _form_crowds(self, channel: Channel, room: int, looked_up: _Versions, claimed: Claimed) -> Missing:
        """Store the multicasts of crowds that wait. Gives that without which nothing was."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            waiting = await crowds.lock_waiting(connection, channel.account, at.wall, min(room, CROWDS_AT_ONCE))
            if not waiting:
                return Missing()
            found = sort_crowds(waiting, Contents(self._templates(looked_up, at)), channel, at)
            if found.missing:
                return found.missing
            if found.unreadable:
                _tell_of_unreadable(len(found.unreadable))
            await crowds.put_off(connection, found.unreadable, at.wall + UNREADABLE_REST)
            await crowds.put_off(connection, found.quiet, at.wall + QUIET_REST / self._clock.rate)
            formed = await self._crowds.form(connection, channel, found, at)
        claimed.formed += formed
        return Missing()

    async def _form(self, channel: Channel, room: int, looked_up: _Versions, claimed: Claimed) -> Missing:
        """Store groups of what waits, and claim pushes for the rest. Gives that without which nothing was."""
        async with self._pool.acquire() as connection, connection.transaction():
            at = self._now()
            templates = self._templates(looked_up, at)
            fresh, found = await self._look(connection, channel, room, at, Contents(templates))
            if found.missing:
                return found.missing
            since = {each.message_id: each.next_attempt_at for each in fresh}
            waiting = [Waiting(each.to, "marketing", since[each.message_id]) for each in found.candidates]
            riding = await self.replier.begin(connection, channel, waiting, templates, self._now())
            if riding.missing:
                return riding.missing
            await self._put_off(connection, found.unreadable, found.quiet, at)
            wall, left = self._clock.wall(), left_by(riding, found.candidates)
            formed = await self._former.form(connection, channel, left, fresh, templates.links, room=room, wall=wall)
            told = await settle(connection, [*found.ended, *formed.standing], now=at.now, wall=at.wall)
        claimed.attempts += [*riding.attempts, *formed.pushes]
        claimed.formed += formed.groups
        claimed.told += told
        return Missing()

    async def _look(
        self, connection: Connection, channel: Channel, room: int, at: ClaimTime, contents: Contents
    ) -> tuple[list[Fresh], SortedFresh]:
        """What waits: as much as could be pushed, and much more where most of that has company."""
        look = max(room, SHORTEST_LOOK)
        fresh = await multicasts.lock_fresh(connection, channel.account, at.wall, look)
        found = sort_fresh(fresh, contents, at)
        if len(fresh) == look and not found.missing and is_crowd(found.candidates):
            fresh = await multicasts.lock_fresh(connection, channel.account, at.wall, max(look, MOST_AT_ONCE))
            found = sort_fresh(fresh, contents, at)
        return fresh, found

    async def _put_off(
        self, connection: Connection, unreadable: Sequence[UUID], quiet: Sequence[UUID], at: ClaimTime
    ) -> None:
        if unreadable:
            _tell_of_unreadable(len(unreadable))
        await deliveries.put_off(connection, unreadable, at.wall + UNREADABLE_REST)
        await deliveries.put_off(connection, quiet, at.wall + QUIET_REST / self._clock.rate)

    def _templates(self, looked_up: _Versions, at: ClaimTime) -> Templates:
        links = ClaimLinks(self._linker, at.now, month_of(at.wall))
        return Templates(self._catalogue, looked_up, links, self._shops)

    def _now(self) -> ClaimTime:
        return ClaimTime(self._clock.now(), self._clock.wall(), self.recalls)


def _tell_of_unreadable(requests: int) -> None:
    logger.error("%d requests cannot be read by this release; they wait for one that can", requests)


def _ended(decided: Sequence[tuple[Sent, Sent | None]]) -> list[tuple[Sent, Sent]]:
    return [(before, after) for before, after in decided if after is not None]
