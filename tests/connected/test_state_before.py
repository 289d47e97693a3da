"""States that releases before this one stored as jsonb: read, asked of and kept, until the person's next event."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest
from pogo_core.util.migrate import rollback

from tests.support.shop_events import event
from todoke_local.rooms import migrate_rooms
from todoke_segmenter.adapters.audiences import count_holding
from todoke_segmenter.handlers import Segmenter
from todoke_segmenter.main import MIGRATIONS
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.conditions import parse_condition
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.people import TOKYO, decode_state
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HANA = "customer:hana"
_STORED = "SELECT state_before IS NULL AS anew, state_before::text AS before, state::text AS state FROM people"
_SEEN_BY_OTHERS = "SELECT state::text AS parsed, state_text FROM published_states"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's own schema."""
    await migrate_rooms(postgres_dsn)
    async with await open_pool(postgres_dsn, application="before-test", schema="segmenter") as opened:
        yield opened


async def go_back_and_come_again(pool: Pool, dsn: str) -> None:
    """The tables are an earlier release's for a while, which reads what this one stored."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "segmenter"})
    while await connection.fetchval("SELECT pg_typeof(state)::text FROM people") != "jsonb":
        await rollback(connection, MIGRATIONS.folder, schema_name="segmenter", count=1)
    known = decode_state(await connection.fetchval("SELECT state::text FROM people"))
    assert decode_state(await connection.fetchval("SELECT state::text FROM published_states")) == known
    await connection.close()
    await migrate_rooms(dsn)
    await pool.expire_connections()


async def take(pool: Pool, number: int) -> None:
    """Hana orders for the so-manieth time."""
    told = dumps(
        event("order.placed", HANA, NOON + timedelta(minutes=number), {"order_id": f"o-{number}", "amount": 100})
    )
    segmenter = Segmenter(pool, CampaignCatalogue(pool), FakeClock(NOON), cluster="test", wake=lambda: None)
    await segmenter.take_ec_events([Record(EC_EVENTS.name, 0, number, None, told)])


async def orders_counted(pool: Pool, number: int) -> int:
    """How many people SQL finds to have ordered at least so often."""
    condition = parse_condition({"orders": {"at_least": number}})
    return (await count_holding(pool, condition, NOON, TOKYO)).people


async def test_what_an_earlier_release_stored_goes_on(pool: Pool, postgres_dsn: str) -> None:
    """SQL and other rooms see it, the next event adds to it, and then it is stored as this release writes it, once."""
    await take(pool, 0)
    assert await orders_counted(pool, 1) == 1
    [stored] = await pool.fetch(_STORED)
    before = decode_state(stored["state"])
    await go_back_and_come_again(pool, postgres_dsn)
    [stored] = await pool.fetch(_STORED)
    assert (stored["anew"], stored["state"]) == (False, None), "nothing is rewritten by a migration"

    assert await orders_counted(pool, 1) == 1
    [seen] = await pool.fetch(_SEEN_BY_OTHERS)
    assert decode_state(seen["parsed"]) == decode_state(seen["state_text"]) == before

    await take(pool, 1)
    [stored] = await pool.fetch(_STORED)
    assert stored["anew"]
    assert [day.orders for day in decode_state(stored["state"]).days.values()] == [2]
    assert await orders_counted(pool, 2) == 1
    [seen] = await pool.fetch(_SEEN_BY_OTHERS)
    assert decode_state(seen["parsed"]) == decode_state(seen["state_text"]) == decode_state(stored["state"])


async def test_nothing_is_left_of_somebody_who_was_merged(pool: Pool) -> None:
    """Neither as this release stores it nor as an earlier one did."""
    await take(pool, 0)
    await pool.execute(
        "INSERT INTO people (person_id, shop, state_before, facts) VALUES ($1, 'main', '{}', '{}')",
        person_id("main", "visitor:v"),
    )
    await pool.execute(
        "INSERT INTO identities (shop, identifier, person_id) VALUES ('main', 'visitor:v', $1)",
        person_id("main", "visitor:v"),
    )
    told = dumps(event("customer.identified", HANA, NOON, {"identifiers": ["visitor:v"]}))
    segmenter = Segmenter(pool, CampaignCatalogue(pool), FakeClock(NOON), cluster="test", wake=lambda: None)
    await segmenter.take_ec_events([Record(EC_EVENTS.name, 0, 9, None, told)])
    assert await pool.fetchval("SELECT count(*) FROM people WHERE merged_into IS NOT NULL") == 1
    assert await pool.fetchval("SELECT count(*) FROM people WHERE state_before IS NOT NULL") == 0


async def test_only_what_changed_is_written(pool: Pool) -> None:
    """A visit writes the state and when the person was asked; that time never goes back."""
    await take(pool, 0)
    columns = "facts::text, segments::text, segments_revision, next_check_at"
    before = await pool.fetchrow(f"SELECT {columns} FROM people")  # noqa: S608
    ahead = NOON + timedelta(seconds=30)
    for number, clock in ((1, ahead), (2, NOON)):
        told = dumps(event("page.viewed", HANA, NOON + timedelta(minutes=5 + number), {}))
        segmenter = Segmenter(pool, CampaignCatalogue(pool), FakeClock(clock), cluster="test", wake=lambda: None)
        await segmenter.take_ec_events([Record(EC_EVENTS.name, 0, number, None, told)])
        assert await pool.fetchval("SELECT checked_at FROM people") == ahead
    assert await pool.fetchrow(f"SELECT {columns} FROM people") == before  # noqa: S608
    assert decode_state(await pool.fetchval("SELECT state::text FROM people")).last_visit_at == NOON + timedelta(
        minutes=7
    )
