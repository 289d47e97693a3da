"""Under which ids a person is and was known, at the size of a real shop."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest

from todoke_local.rooms import migrate_rooms
from todoke_scheduler.adapters import explaining, journeys
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PEOPLE = """
INSERT INTO segmenter.people (person_id, shop, merged_into, state, facts, segments_revision)
SELECT lpad(to_hex(i), 32, '0')::uuid, 'main', CASE WHEN i % 100 = 0 THEN lpad(to_hex(i - 1), 32, '0')::uuid END,
       jsonb_build_object('past', repeat(md5(i::text), 50)), '{}', 0
  FROM generate_series(1, 20000) AS i
"""
"""With a past as large as a customer's. Each hundredth became the one before."""


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The scheduler's, beside 20,000 people."""
    await migrate_rooms(postgres_dsn)
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as opened:
        await opened.execute(PEOPLE)
        await opened.execute("ANALYZE segmenter.people")
        yield opened


def person(number: int) -> UUID:
    """The id of somebody."""
    return UUID(int=number)


async def tables_gone_through(pool: Pool, query: str, arguments: Sequence[object], mode: str) -> list[str]:
    """The tables that a query reads from one end to the other."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments))
    found, nodes = [], [plan[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node["Node Type"] == "Seq Scan":
            found.append(node["Relation Name"])
    return found


async def test_every_id_of_the_people_asked_for_and_of_nobody_else(pool: Pool) -> None:
    """By the id that is left, by the one that was given up, by one that never changed."""
    async with pool.acquire() as connection:
        known = await journeys.current_ids(connection, [person(99), person(200), person(7), person(10**9)])
    assert known == {
        person(99): person(99),
        person(100): person(99),
        person(199): person(199),
        person(200): person(199),
        person(7): person(7),
    }


async def test_explain_finds_every_id_by_either_of_two(pool: Pool) -> None:
    """By the id of before as by that of now; by an identifier; of nobody, none."""
    await pool.execute("INSERT INTO segmenter.identities VALUES ('main', 'customer:hana', $1)", person(99))
    for name in (str(person(99)), str(person(100)), "customer:hana"):
        assert await explaining.people_named(pool, name) == [person(99), person(100)]
    assert await explaining.people_named(pool, "customer:nobody") == []


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_ids_are_found_by_index_however_many_people_there_are(pool: Pool, mode: str) -> None:
    """A batch of triggers asks for 500 people at a time: nobody else's row may be read for it."""
    asked = [person(number) for number in range(1, 20_000, 40)]
    assert await tables_gone_through(pool, journeys._SQL["aliases_of"], [asked], mode) == []
