"""`todoke coupons` against a database: codes made and imported, given once, and counted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from todoke_local.cli import app
from todoke_scheduler.adapters.coupons import Wanted, assign_codes
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """The scheduler's schema, for which the commands are set up."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=4) as opened:
        yield opened


async def todoke(*words: str) -> str:
    """What `todoke coupons …` answers."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["coupons", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def want(run: UUID, step: str = "0:spring") -> Wanted:
    """A step of a run that gives a code."""
    return Wanted(run, step, "spring", uuid4())


async def give(pool: Pool, *wanted: Wanted) -> dict[tuple[UUID, str], str]:
    """Codes given and committed."""
    async with pool.acquire() as connection, connection.transaction():
        return await assign_codes(connection, wanted, NOW)


async def test_codes_are_made_imported_and_counted(pool: Pool, tmp_path: Path) -> None:
    """Codes that are there already stay; a pool is made by its first codes; each made code is another."""
    file = tmp_path / "codes.txt"
    file.write_text("A-1\nA-2\n\n  A-1\n", encoding="utf-8")
    assert await todoke("import", "spring", str(file)) == "spring: 2 codes added, 1 were there already\n"
    assert await todoke("import", "spring", str(file)) == "spring: 0 codes added, 3 were there already\n"
    assert await todoke("create", "summer", "500", "--prefix", "S-") == "summer: 500 codes made\n"
    await give(pool, want(uuid4()))
    listed = [line.split("\t") for line in (await todoke("list")).splitlines()[1:]]
    assert listed == [["spring", "1", "1", "0"], ["summer", "500", "0", "0"]]
    codes = {row["code"] for row in await pool.fetch("SELECT code FROM coupon_codes WHERE pool = 'summer'")}
    assert len(codes) == 500
    assert all(code.startswith("S-") and len(code) == 12 for code in codes)


@pytest.mark.parametrize("name", ["Spring", "春", "a b", ""])
async def test_a_pool_has_a_name_that_a_campaign_can_write(pool: Pool, name: str) -> None:
    """Any other is refused in words, and nothing is made."""
    with pytest.raises(ValueError, match="a pool's name is of a-z"):
        await todoke("create", name, "5")
    assert await pool.fetchval("SELECT count(*) FROM coupon_pools") == 0


async def test_a_step_has_one_code_however_often_it_asks(pool: Pool) -> None:
    """In one batch and in another; another step of the run has another code, in the order of the file."""
    await todoke("create", "spring", "10")
    in_order = [row["code"] for row in await pool.fetch("SELECT code FROM coupon_codes ORDER BY place")]
    run, other = uuid4(), uuid4()
    first = await give(pool, want(run), want(other))
    again = await give(pool, want(run), want(run, "2:spring"))
    assert first == {(run, "0:spring"): in_order[0], (other, "0:spring"): in_order[1]}
    assert again == {(run, "0:spring"): in_order[0], (run, "2:spring"): in_order[2]}


async def test_what_was_given_in_a_transaction_that_failed_is_given_again(pool: Pool) -> None:
    """A crash loses no code, and gives none twice."""
    await todoke("create", "spring", "1")
    run, other = uuid4(), uuid4()
    with pytest.raises(ZeroDivisionError):
        async with pool.acquire() as connection, connection.transaction():
            assert len(await assign_codes(connection, [want(run)], NOW)) == 1
            raise ZeroDivisionError
    assert len(await give(pool, want(run))) == 1
    assert await give(pool, want(other)) == {}


async def test_schedulers_give_codes_side_by_side_and_none_twice(pool: Pool) -> None:
    """Neither waits for the other; each has codes of its own."""
    await todoke("create", "spring", "10")
    async with pool.acquire() as connection, connection.transaction():
        mine = await assign_codes(connection, [want(uuid4()) for _ in range(4)], NOW)
        async with asyncio.timeout(3):
            others = await give(pool, *(want(uuid4()) for _ in range(6)))
    assert len({*mine.values(), *others.values()}) == 10
