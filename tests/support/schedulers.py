"""Scheduler processes that share timers, to be killed and parted from PostgreSQL; and what each step owes."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg

from tests.support.broadcasts import add_people, befriend
from tests.support.instances import Instances
from tests.support.waiting import until
from todoke_scheduler.adapters.enrolments import save_enrolments
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.adapters.timers import save_timers
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.model import Campaign
from todoke_shared.ids import message_id
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
BETWEEN = timedelta(seconds=1)
"""From a run's first message to its second."""
_AT_ONCE = 5_000
_LOTS = 10
_FIRED = "todoke_timers_fired_total"
_LEFT = """
SELECT (SELECT count(*) FROM enrolments WHERE status = 'active' AND campaign = $1), (SELECT count(*) FROM outbox)
"""


def _care(name: str) -> Campaign:
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",  # at any hour
            "enter": {"on": "cart.changed", "again": "always"},
            "steps": [{"wait": "1h"}, {"send": "first"}, {"wait": "1s"}, {"send": "second"}],
            "messages": {each: [{"type": "text", "text": each}] for each in ("first", "second")},
        }
    )


CARE = _care("care")
"""Two messages, each a step of its own, one an hour after the start and one a moment later."""
MEANWHILE = _care("care-meanwhile")
"""The same, of runs that nobody counts."""


@dataclass(kw_only=True)
class Schedulers(Instances):
    """The processes by name, and the messages that are owed, with when. `pool`: the scheduler's schema."""

    service: str = "scheduler"
    pool: Pool
    owed: dict[UUID, datetime] = field(default_factory=dict)

    async def owe(self, due: Sequence[datetime]) -> None:
        """A run for each of these instants, of a friend who is due their first message then."""
        for start in range(0, len(due), _AT_ONCE):
            runs = [_run(at) for at in due[start : start + _AT_ONCE]]
            people = [run.person for run in runs]
            await add_people(self.pool, people)
            await befriend(self.pool, people)
            async with self.pool.acquire() as connection, connection.transaction():
                await save_enrolments(connection, runs)
                await save_timers(connection, runs)
            for run in runs:
                self.owed[message_id(run.id, "1:first")] = run.due_at
                self.owed[message_id(run.id, "3:second")] = run.due_at + BETWEEN

    async def owe_until_each_fires(self, names: Sequence[str], number: int, apart: timedelta) -> list[int]:
        """Owe so many, so far apart, and again until each of these has fired some; how many each has fired in all.

        Who takes a timer is a matter of luck: a process that is healthy may have had none of a lot.
        """
        before = [await self.fired(name) for name in names]
        for _ in range(_LOTS):
            first = await self.now() + timedelta(seconds=0.5)
            await self.owe([first + index * apart for index in range(number)])
            await self.until_done()
            fired = [await self.fired(name) for name in names]
            if all(now > then for now, then in zip(fired, before, strict=True)):
                return fired
        raise AssertionError(f"of {_LOTS} lots {names} have fired {fired}, after {before}: one of them does nothing")

    async def now(self) -> datetime:
        """The time by PostgreSQL's clock."""
        instant: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return instant

    async def overdue(self) -> int:
        """How many timers are due and not yet fired."""
        number: int = await self.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= clock_timestamp()")
        return number

    async def fired(self, name: str) -> int:
        """How many timers a process has fired; 0 as long as it does not answer."""
        return await self.counted(name, _FIRED)

    async def until_done(self) -> None:
        """Return once every run that owes something is done and every request is published."""

        async def left() -> tuple[int, int]:
            runs, records = await self.pool.fetchrow(_LEFT, CARE.campaign) or (0, 0)
            return runs, records

        await until(left, lambda numbers: not any(numbers), "no run and no record is left", seconds=120)


def percentile(values: Iterable[timedelta], share: float) -> timedelta:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@asynccontextmanager
async def open_schedulers(dsn: str, bootstrap_servers: str, directory: Path) -> AsyncIterator[Schedulers]:
    """None running yet, in a shop with campaigns of care."""
    async with await open_pool(dsn, application="test", schema="scheduler", size=3) as pool:
        await publish(pool, [CARE, MEANWHILE])
        async with Schedulers(
            dsn=dsn, bootstrap_servers=bootstrap_servers, directory=directory, pool=pool
        ) as schedulers:
            yield schedulers


def _run(due_at: datetime) -> Enrolment:
    return Enrolment(
        id=uuid4(),
        campaign=CARE.campaign,
        version=1,
        shop="main",
        person=uuid4(),
        key="",
        started_at=due_at - timedelta(hours=1),
        due_at=due_at,
        position=1,
    )
