"""The two ways to ask a condition, the predicate and PostgreSQL, never disagree."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from tests.support.condition_cases import Cases
from todoke_shared.conditions import All, Any_, Condition, Not, parse_condition
from todoke_shared.people import PersonState, decode_state, encode_state
from todoke_shared.people.conditions import Moment, compile_condition
from todoke_shared.postgres.pool import open_pool

PEOPLE, ROUNDS, CONDITIONS = 25, 40, 120


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """The segmenter's own database schema."""
    pool = await open_pool(postgres_dsn, application="conditions-test", schema="segmenter")
    yield pool
    await pool.close()


async def store(pool: "asyncpg.Pool[asyncpg.Record]", people: list[PersonState]) -> dict[str, PersonState]:
    """Store these people alone; they come back as the segmenter reads them."""
    await pool.execute("DELETE FROM people")
    await pool.execute(
        "INSERT INTO people (person_id, shop, state, facts)"
        " SELECT gen_random_uuid(), 'main', state::jsonb, '{}' FROM unnest($1::text[]) AS n (state)",
        [encode_state(person).decode() for person in people],
    )
    rows = await pool.fetch("SELECT person_id::text, state::text FROM people")
    return {row["person_id"]: decode_state(row["state"]) for row in rows}


async def found(
    pool: "asyncpg.Pool[asyncpg.Record]", conditions: Sequence[Condition], moment: Moment
) -> list[set[str]]:
    """Whom PostgreSQL finds for each of the conditions; nobody is neither found nor not found."""
    parameters: list[object] = ["main"]
    columns = []
    for condition in conditions:
        sql = compile_condition(condition, "main").sql(moment, "p.state::jsonb", first=len(parameters) + 1)
        columns.append(sql.text)
        parameters += sql.parameters
    query = f"SELECT p.person_id::text, ARRAY[{', '.join(columns)}] AS holds FROM people p WHERE p.shop = $1"  # noqa: S608
    rows = await pool.fetch(query, *parameters)
    assert {answer for row in rows for answer in row["holds"]} <= {True, False}
    return [{row["person_id"] for row in rows if row["holds"][n]} for n in range(len(conditions))]


async def disagreement(
    pool: "asyncpg.Pool[asyncpg.Record]", people: dict[str, PersonState], condition: Condition, moment: Moment
) -> str:
    """The smallest part of a condition on which the two disagree, and about whom; empty where they agree."""
    parts = (
        condition.parts
        if isinstance(condition, All | Any_)
        else (condition.part,)
        if isinstance(condition, Not)
        else ()
    )
    for part in parts:
        if smaller := await disagreement(pool, people, part, moment):
            return smaller
    compiled = compile_condition(condition, "main")
    expected = {person for person, state in people.items() if compiled.holds(state, moment)}
    [answer] = await found(pool, [condition], moment)
    wrong = expected ^ answer
    return f"{condition} at {moment.now} in {moment.zone}: {people[min(wrong)]}" if wrong else ""


async def test_postgresql_and_the_predicate_agree(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """On 120,000 random pairs of people and conditions, near the edges of windows, days, years and texts."""
    yes = asked = 0
    for seed in range(ROUNDS):
        cases = Cases(seed)
        people = await store(pool, [cases.person() for _ in range(PEOPLE)])
        moment = Moment.at(cases.now, cases.zone)
        conditions = [parse_condition(cases.condition()) for _ in range(CONDITIONS)]
        for batch in (conditions[n : n + 20] for n in range(0, CONDITIONS, 20)):
            for condition, answer in zip(batch, await found(pool, batch, moment), strict=True):
                compiled = compile_condition(condition, "main")
                expected = {person for person, state in people.items() if compiled.holds(state, moment)}
                if answer != expected:
                    pytest.fail(f"seed {seed}: {await disagreement(pool, people, condition, moment)}")
                yes += len(expected)
                asked += len(people)
    assert asked == 120_000
    assert 0.2 < yes / asked < 0.8  # a condition that is always true, or never, shows little
