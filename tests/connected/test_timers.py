"""Timers in PostgreSQL: a partition a day, shared by several schedulers, whole or not at all, claimed by the index."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from pogo_core.util.migrate import rollback

from todoke_scheduler.adapters import timers
from todoke_scheduler.adapters.timers import DueTimers, drop_days_over, next_due, save_timers
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.handlers import Scheduler
from todoke_scheduler.main import MIGRATIONS
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.postgres.migrate import migrate
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The scheduler's tables."""
    async with await open_pool(postgres_dsn, application="test", schema="scheduler") as opened:
        yield opened


def run(due: datetime) -> Enrolment:
    """A run that is due then."""
    return Enrolment(
        id=uuid4(), campaign="care", version=1, shop="main", person=uuid4(), key="", started_at=NOON, due_at=due
    )


async def due_in(pool: Pool, *instants: datetime) -> list[UUID]:
    """Timers of runs due then, set in one transaction."""
    runs = [run(instant) for instant in instants]
    async with pool.acquire() as connection, connection.transaction():
        await save_timers(connection, runs)
    return [each.id for each in runs]


async def claim(pool: Pool, due: DueTimers, now: datetime, limit: int = 100) -> list[UUID]:
    """Claimed and committed."""
    async with pool.acquire() as connection, connection.transaction():
        return [timer.enrolment for timer in await due.claim(connection, now, limit)]


async def days(pool: Pool) -> list[str]:
    """The partitions there are."""
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'timers'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def test_what_is_due_comes_out_oldest_first_and_nothing_before_its_time(pool: Pool) -> None:
    """Over three days, set in any order: by the limit, to the microsecond, each once."""
    early, late, next_, tomorrow = await due_in(pool, NOON - 2 * DAY, NOON, NOON - SECOND, NOON + DAY)
    due = DueTimers()
    assert await claim(pool, due, NOON, 1) == [early]
    assert await claim(pool, due, NOON, 1) == [next_]
    assert await claim(pool, due, NOON - timedelta(microseconds=1)) == []
    assert await claim(pool, due, NOON) == [late]
    assert await claim(pool, due, NOON) == []
    assert await next_due(pool) == NOON + DAY
    assert await next_due(pool, by=NOON) is None
    assert await claim(pool, due, NOON + DAY) == [tomorrow]


async def test_a_claim_takes_no_more_than_its_limit_over_days(pool: Pool) -> None:
    """It goes on with the next day where one has too few, and leaves the rest."""
    ids = await due_in(pool, *(NOON - day * DAY for day in (1, 1, 0, 0, 0)))
    due = DueTimers()
    first = await claim(pool, due, NOON, 3)
    assert len(first) == 3 and set(ids[:2]) < set(first)
    assert len(await claim(pool, due, NOON, 3)) == 2


async def test_a_day_has_a_table_from_its_first_timer_on(pool: Pool) -> None:
    """Far past and far future too, as a replay's clock sets them; midnight belongs to the day that begins."""
    midnight = datetime(2036, 2, 29, tzinfo=UTC)
    far = await due_in(pool, datetime(2015, 6, 1, tzinfo=UTC), midnight - timedelta(microseconds=1), midnight)
    assert await days(pool) == ["timers_20150601", "timers_20360228", "timers_20360229"]
    assert await claim(pool, DueTimers(), midnight) == far


async def test_several_at_once_make_a_day_once(pool: Pool) -> None:
    """Eight transactions, each with timers of the same new days."""
    await asyncio.gather(*(due_in(pool, *(NOON + day * DAY for day in range(5))) for _ in range(8)))
    assert len(await days(pool)) == 5
    assert await pool.fetchval("SELECT count(*) FROM timers") == 40


async def test_a_day_whose_transaction_fails_is_made_again(pool: Pool) -> None:
    """Its table went with the transaction: nothing remembers it."""
    with pytest.raises(ZeroDivisionError):
        async with pool.acquire() as connection, connection.transaction():
            await save_timers(connection, [run(NOON)])
            raise ZeroDivisionError
    assert await days(pool) == []
    assert await claim(pool, DueTimers(), NOON) == []
    (one,) = await due_in(pool, NOON)
    assert await claim(pool, DueTimers(), NOON) == [one]


async def test_schedulers_share_without_waiting(pool: Pool) -> None:
    """One has 60 in hand and has not committed: another gets the other 40 at once, and neither gets any twice."""
    ids = set(await due_in(pool, *(NOON + number * SECOND for number in range(100))))
    now = NOON + DAY
    async with pool.acquire() as connection, connection.transaction():
        first = {timer.enrolment for timer in await DueTimers().claim(connection, now, 60)}
        async with asyncio.timeout(3):
            second = set(await claim(pool, DueTimers(), now))
    assert (len(first), len(second), first | second) == (60, 40, ids)


async def test_what_a_failed_transaction_had_claimed_comes_again(pool: Pool) -> None:
    """Its own scheduler is told to look everywhere; what it had in hand nobody else waited for."""
    early, late, last = await due_in(pool, NOON - 2 * DAY, NOON - SECOND, NOON)
    mine, another = DueTimers(), DueTimers()
    with pytest.raises(ConnectionResetError):
        async with pool.acquire() as connection, connection.transaction():
            assert len(await mine.claim(connection, NOON, 2)) == 2
            assert await claim(pool, another, NOON) == [last]
            raise ConnectionResetError
    mine.look_everywhere()
    assert await claim(pool, mine, NOON) == [early, late]


async def test_what_lies_far_behind_is_found_by_the_next_full_look(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer set for yesterday, when today's were claimed already: not at once, but within the time stated."""
    await due_in(pool, NOON)
    due = DueTimers()
    assert len(await claim(pool, due, NOON)) == 1
    (straggler,) = await due_in(pool, NOON - timedelta(seconds=5))
    assert await claim(pool, due, NOON) == [straggler]  # within the look back
    (yesterdays,) = await due_in(pool, NOON - DAY)
    assert await claim(pool, due, NOON) == []
    really = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: really() + timers.FULL_LOOK_SECONDS)
    assert await claim(pool, due, NOON) == [yesterdays]


async def test_what_an_idle_scheduler_sees_due_it_takes_however_far_behind(pool: Pool) -> None:
    """Whoever has nothing to do asks when the next timer is due, and learns of what another has given back."""
    await due_in(pool, NOON)
    catalogue = CampaignCatalogue(pool)
    scheduler = Scheduler(pool, FakeClock(NOON), catalogue, cluster="test", wake=lambda: None)
    assert await scheduler.fire_due() == 1
    await due_in(pool, NOON - DAY, NOON + SECOND)
    assert await scheduler.fire_due() == 0
    assert await scheduler.next_due() == NOON - DAY
    assert await scheduler.fire_due() == 1
    assert await scheduler.next_due() == NOON + SECOND
    assert await scheduler.fire_due() == 0


async def test_what_is_claimed_by_whoever_says_nothing_more_is_soon_anothers(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off or frozen: PostgreSQL itself ends the transaction, so soon that others have not passed its timers by."""
    async with pool.acquire() as connection, connection.transaction():
        await due_in(pool, NOON - DAY)
        assert len(await DueTimers().claim(connection, NOON, 100)) == 1
        life = await connection.fetchval("SHOW idle_in_transaction_session_timeout")
    assert life == timers.CLAIM_LIFE == "5s"
    assert timers.LOOK_BACK > 5 * SECOND
    assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == "15s"
    monkeypatch.setattr(timers, "CLAIM_LIFE", "200ms")
    held, another = await due_in(pool, NOON - SECOND, NOON), DueTimers()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        async with pool.acquire() as connection, connection.transaction():
            assert len(await DueTimers().claim(connection, NOON, 100)) == 2
            (last,) = await due_in(pool, NOON + 5 * SECOND)
            assert await claim(pool, another, NOON + 5 * SECOND) == [last]
            async with asyncio.timeout(5):
                while not (found := await claim(pool, another, NOON + 5 * SECOND)):
                    await asyncio.sleep(0.02)
    assert found == held


async def test_a_clock_set_back_finds_what_is_due_then(pool: Pool) -> None:
    """A replay of 2036 ends, and the clock is 2026's again."""
    await due_in(pool, NOON + 3650 * DAY)
    due = DueTimers()
    assert len(await claim(pool, due, NOON + 3650 * DAY)) == 1
    (one,) = await due_in(pool, NOON)
    assert await claim(pool, due, NOON) == [one]


async def test_days_over_are_dropped_when_they_are_empty_and_unused(pool: Pool) -> None:
    """Not today's, not yesterday's, not one with a timer left, not one that a transaction is using."""
    await due_in(pool, *(NOON - day * DAY for day in range(5)))
    due = DueTimers()
    assert len(await claim(pool, due, NOON - 2 * DAY)) == 3
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT hold_timer_days($1)", [(NOON - 4 * DAY).date()])
        assert await drop_days_over(pool, NOON) == 0
        await save_timers(connection, [run(NOON - 4 * DAY)])
    assert await drop_days_over(pool, NOON) == 2
    assert await days(pool) == ["timers_20260328", "timers_20260331", "timers_20260401"]
    assert len(await claim(pool, due, NOON)) == 2
    assert await drop_days_over(pool, NOON) == 0
    assert len(await claim(pool, DueTimers(), NOON)) == 1
    assert await drop_days_over(pool, NOON) == 1
    assert await next_due(pool) is None
    assert len(await due_in(pool, NOON - 4 * DAY)) == len(await claim(pool, DueTimers(), NOON)) == 1


def nodes(plan: dict[str, Any]) -> list[str]:
    """What a plan does, in the order in which EXPLAIN tells it, with what it does it on."""
    own = " ".join(str(plan[key]) for key in ("Node Type", "Relation Name", "Index Name") if key in plan)
    return [own, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def explain(pool: Pool, query: str, arguments: Sequence[object]) -> dict[str, Any]:
    """The plan that the query runs with, and how long planning took, after the plan is kept for any arguments."""
    async with pool.acquire() as connection, connection.transaction():
        # As asyncpg's prepared statements do from their sixth use on.
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for _ in range(2):
            answer = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments)
    explained: dict[str, Any] = json.loads(answer)[0]
    return explained


async def test_a_claim_goes_by_one_days_index_however_many_days_there_are(pool: Pool) -> None:
    """400 days, 20,000 timers today: an index scan of today's partition that ends at the limit, and no other table."""
    await due_in(pool, *(NOON + day * DAY for day in range(-200, 200)))
    await pool.execute(
        "INSERT INTO timers SELECT $1::timestamptz + i * interval '1 s', gen_random_uuid(), 1"
        " FROM generate_series(0, 19999) AS i",
        NOON,
    )
    await pool.execute("ANALYZE timers", timeout=60)
    query = timers._of_day("claim_of_day", NOON.date())
    explained = await explain(pool, query, [NOON, NOON + DAY, 500])
    partition = "timers_20260401"
    assert nodes(explained["Plan"]) == [
        f"ModifyTable {partition}",
        "Limit",
        "LockRows",
        f"Index Scan {partition} {partition}_due_at_idx",
        f"Tid Scan {partition}",
    ]
    scan = explained["Plan"]["Plans"][0]["Plans"][0]["Plans"][0]
    assert scan["Actual Rows"] == 500
    found = await explain(pool, timers._of_day("next_of_day", NOON.date()), [])
    assert nodes(found["Plan"])[-1].startswith("Index Only Scan timers_20260401")


async def test_timers_of_the_release_before_move_over(empty_postgres_dsn: str) -> None:
    """Those of one table stand in their days' partitions after the migration, each once."""
    await migrate(empty_postgres_dsn, [MIGRATIONS])
    connection = await asyncpg.connect(empty_postgres_dsn, server_settings={"search_path": "scheduler"})
    later = len([file for file in MIGRATIONS.folder.iterdir() if file.suffix == ".sql"]) - 1
    await rollback(connection, MIGRATIONS.folder, schema_name="scheduler", count=later)
    runs = [uuid4() for _ in range(3)]
    for number, one in enumerate(runs):
        await connection.execute("INSERT INTO timers VALUES ($1, $2, $3)", NOON + number * DAY, one, number)
    await migrate(empty_postgres_dsn, [MIGRATIONS])
    rows = await connection.fetch("SELECT tableoid::regclass::text, enrolment, position FROM timers ORDER BY due_at")
    assert [tuple(row) for row in rows] == [
        (f"timers_2026040{number + 1}", one, number) for number, one in enumerate(runs)
    ]
    with pytest.raises(asyncpg.UndefinedColumnError):  # a release from before would delete by ctid, in every partition
        await connection.execute("DELETE FROM timers RETURNING enrolment_id")
    await connection.close()
