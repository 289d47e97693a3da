"""What `todoke explain` reads: a person's runs in a campaign, what was decided about them, and what was sent."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from todoke_scheduler.adapters.enrolments import enrolment_of
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.story import Delivered, Logged
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_scheduler.adapters", "explaining.sql")


async def people_named(pool: "asyncpg.Pool[asyncpg.Record]", name: str) -> list[UUID]:
    """Every id, present and past, of whoever has this identifier (`customer:42`) in any shop, or this person id."""
    return [row["person_id"] for row in await pool.fetch(_SQL["people_named"], name, _as_id(name))]


async def runs_of(pool: "asyncpg.Pool[asyncpg.Record]", people: Sequence[UUID], campaign: str) -> list[Enrolment]:
    """The person's runs, the oldest first."""
    return [enrolment_of(row) for row in await pool.fetch(_SQL["runs_of"], people, campaign)]


async def decided(
    pool: "asyncpg.Pool[asyncpg.Record]", people: Sequence[UUID], campaign: str
) -> dict[UUID | None, list[Logged]]:
    """What was decided, by run; under None what was about none of them: entries that were refused."""
    found: dict[UUID | None, list[Logged]] = defaultdict(list)
    for row in await pool.fetch(_SQL["decided"], people, campaign):
        found[row["enrolment_id"]].append(Logged(row["at"], row["step"], row["decision"]))
    return found


async def delivered(
    pool: "asyncpg.Pool[asyncpg.Record]", people: Sequence[UUID], campaign: str
) -> dict[UUID | None, list[Delivered]]:
    """What was asked of the dispatcher, by run, and how it stands."""
    found: dict[UUID | None, list[Delivered]] = defaultdict(list)
    for row in await pool.fetch(_SQL["delivered"], people, campaign):
        found[row["enrolment_id"]].append(Delivered(row["received_at"], row["step"], row["state"], row["reason"]))
    return found


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
