"""People by the thousand for broadcasts, put there as the segmenter would have left them."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.broadcasting import Broadcaster
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import Standing
from todoke_scheduler.domain.recipient import Conditions
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.limits import QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import person_id
from todoke_shared.jsons import loads
from todoke_shared.people import PersonState, encode_state
from todoke_shared.people.registers import Register
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)

_PEOPLE = """
INSERT INTO segmenter.people (person_id, shop, state, facts)
SELECT person_id, 'main', state, '{}' FROM unnest($1::uuid[], $2::jsonb[]) AS p (person_id, state)
"""
_FRIENDS = """
INSERT INTO segmenter.friend_status (account, user_id, shop, person_id, is_friend, changed_at)
SELECT $1, 'U' || md5($1 || person_id), 'main', person_id, $3, now() FROM unnest($2::uuid[]) AS person_id
"""
_KNOWN_AS_FRIENDS = """
UPDATE segmenter.people SET state = state::jsonb || jsonb_build_object('friendships', jsonb_build_object(
       $1 || ':U' || md5($1 || person_id), jsonb_build_object('at', '2026-01-01T00:00:00Z', 'friend', $3::boolean)))
 WHERE person_id = any($2::uuid[])
"""


def crowd(number: int, first: int = 0) -> list[UUID]:
    """So many ids of people, in their order."""
    return sorted(person_id("main", f"customer:{index}") for index in range(first, first + number))


def knows(consents: Mapping[str, bool] | None = None, **profile: Any) -> PersonState:
    """Somebody of whom this is known."""
    return PersonState(
        profile={name: Register(LONG_AGO, value) for name, value in profile.items()},
        consents={name: Register(LONG_AGO, value) for name, value in (consents or {}).items()},
    )


async def add_people(pool: Pool, people: Sequence[UUID], state: PersonState | None = None) -> None:
    """Put these people there."""
    document = loads(encode_state(state or PersonState()))
    await pool.execute(_PEOPLE, people, [document] * len(people))


async def befriend(pool: Pool, people: Sequence[UUID], account: str = "main", *, friend: bool = True) -> None:
    """Make them friends of an account, or have them be no longer."""
    await pool.execute(_FRIENDS, account, people, friend)
    await pool.execute(_KNOWN_AS_FRIENDS, account, people, friend)


async def merge(pool: Pool, one: UUID, other: UUID) -> None:
    """Two turn out to be one person: the smaller id remains, as the segmenter has it, with both states' friends."""
    survivor, loser = sorted((one, other))
    await pool.execute("UPDATE segmenter.people SET merged_into = $1 WHERE person_id = $2", survivor, loser)
    await pool.execute("UPDATE segmenter.friend_status SET person_id = $1 WHERE person_id = $2", survivor, loser)


class PlainEngine:
    """For campaigns that are a message and nothing else: what the scheduler's own engine says of them."""

    def __init__(self, quiet_hours: QuietHours | None = None) -> None:
        self.conditions = Conditions()
        self._quiet_hours = quiet_hours

    def standing(self, published: PublishedCampaign, shop: str) -> Standing:
        """With the shop's quiet hours, and no caps."""
        return Standing(published.campaign, shop_quiet_hours=self._quiet_hours)

    async def begin_runs(self, connection: Connection, runs: Sequence[Enrolment], now: datetime) -> None:
        """Not for these."""
        raise AssertionError("a campaign that is a message and nothing else was carried out run by run")

    async def enter(self, connection: Connection, triggers: Sequence[Trigger], now: datetime) -> list[Enrolment]:
        """Not for these."""
        raise AssertionError("a campaign that is a message and nothing else was entered by triggers")


def campaign(name: str = "sale", at: str = "2026-04-01 12:00", **more: Any) -> Campaign:
    """A broadcast of one message at a time in Tokyo."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": {"schedule": {"at": at}, **more.pop("enter", {})},
            "steps": [{"send": "news"}],
            "messages": {"news": [{"type": "text", "text": "セールのお知らせ"}]},
            **more,
        }
    )


class Stage:
    """A database with people in it, and any number of schedulers' broadcasters on one clock."""

    def __init__(self, pool: Pool, clock: FakeClock) -> None:
        self.pool = pool
        self.clock = clock

    async def broadcaster(self, engine: PlainEngine | None = None) -> Broadcaster:
        """Another scheduler."""
        catalogue = CampaignCatalogue(self.pool)
        await catalogue.refresh()
        return Broadcaster(self.pool, self.clock, catalogue, engine or PlainEngine(), wake=lambda: None)

    async def publish(self, *campaigns: Campaign) -> None:
        """Put campaigns in force."""
        await publish(self.pool, campaigns)

    async def asked(self) -> list[UUID]:
        """Whom requests in the outbox are for, in their order; one that is there twice is listed twice."""
        rows = await self.pool.fetch("SELECT value FROM outbox ORDER BY id")
        records = [loads(row["value"]) for row in rows]
        return [UUID(one["person"]) for record in records for one in record.get("recipients", [record])]

    async def rows(self) -> list[dict[str, Any]]:
        """The broadcasts, by when they are due."""
        return [dict(row) for row in await self.pool.fetch("SELECT * FROM broadcasts ORDER BY due_at, campaign")]


@asynccontextmanager
async def open_stage(dsn: str, start: datetime) -> AsyncIterator[Stage]:
    """A stage on a database of its own, at this instant."""
    async with await open_pool(dsn, application="test", schema="scheduler", size=6) as pool:
        yield Stage(pool, FakeClock(start))


async def go_through(*broadcasters: Broadcaster) -> None:
    """Let each plan, and go on as far as it can at this instant, in turns."""
    for one in broadcasters:
        await one.plan()
    while any([await one.go_on() for one in broadcasters]):
        pass


def without(people: Iterable[UUID], *others: Iterable[UUID]) -> list[UUID]:
    """Those who are in none of the others, in order."""
    gone = {one for other in others for one in other}
    return sorted(one for one in people if one not in gone)
