"""What time alone changes: people enter and leave segments with no event. Each claim is one transaction.

The same goes over everybody after a publication. Segmenters share the work: a locked person is somebody else's.
May block: on PostgreSQL. May lose: nothing; who was not saved is claimed again. May repeat: nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import asyncpg

from todoke_segmenter.adapters.layout import check_layout
from todoke_segmenter.adapters.memberships import Claimed, claim_due, claim_outdated, next_check, save_memberships
from todoke_segmenter.domain.segments import Change, LiveSegments
from todoke_segmenter.outgoing import count_changes, outgoing
from todoke_segmenter.rulebook import Rulebook
from todoke_shared.clock import Clock
from todoke_shared.contracts.triggers import MadeTrigger
from todoke_shared.postgres.stream import Connection, put_outbox
from todoke_shared.telemetry import metrics

CLAIM = 500
"""People a transaction: enough to share its cost, few enough that a batch of events waits for them but shortly."""
REST_SECONDS = 0.5
SHORTEST_REST_SECONDS = 0.02


class ByClock:
    """Looks at whoever is due. `wake` is called after each commit, so that triggers leave at once."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", rulebook: Rulebook, clock: Clock, *, wake: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._rulebook = rulebook
        self._clock = clock
        self._wake = wake

    async def run_once(self, seconds_until: Callable[[datetime], float]) -> None:
        """Whoever is due, else some of those who were not asked since a publication, else a rest."""
        if await self.check_due() or await self.sweep():
            return
        due = await next_check(self._pool)
        wait = REST_SECONDS if due is None else seconds_until(due)
        await asyncio.sleep(min(max(wait, SHORTEST_REST_SECONDS), REST_SECONDS))

    async def check_due(self) -> int:
        """Carry out one claim of people who are due, and give its size."""
        now = self._clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            claimed = await claim_due(connection, now, CLAIM)
            changes, triggers = await self._bring_up_to_date(connection, claimed, now)
        for change in changes:
            metrics.SEGMENT_LATENESS.observe(max(0.0, (now - change.at) / timedelta(seconds=1)))
        self._tell(changes, triggers)
        return len(claimed)

    async def sweep(self) -> int:
        """Ask some of those who were not asked since the last publication, and give their number."""
        now = self._clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            claimed = await claim_outdated(connection, self._rulebook.segments.revision, CLAIM)
            changes, triggers = await self._bring_up_to_date(connection, claimed, now)
        self._tell(changes, triggers)
        return len(claimed)

    async def _bring_up_to_date(
        self, connection: Connection, claimed: Sequence[Claimed], now: datetime
    ) -> tuple[list[Change], list[MadeTrigger]]:
        if not claimed:
            return [], []
        await check_layout(connection)
        newest = max(one.membership.revision or 0 for one in claimed)
        live = LiveSegments(await self._rulebook.at_least(newest, connection), now)
        rules = self._rulebook.triggers
        changes: list[Change] = []
        triggers: list[MadeTrigger] = []
        for one in claimed:
            found = live.catch_up(one.person, one.membership, one.state)
            changes += found
            for change in found:
                triggers += rules.decide_change(change, one.person, one.shop, one.state)
        await save_memberships(connection, claimed)
        await put_outbox(connection, [outgoing(trigger) for trigger in triggers])
        return changes, triggers

    def _tell(self, changes: Sequence[Change], triggers: Sequence[MadeTrigger]) -> None:
        count_changes(changes, triggers)
        if triggers:
            self._wake()
