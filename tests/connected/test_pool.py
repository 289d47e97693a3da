"""A session that comes back to the pool is as good as new, and that costs nothing."""

import asyncio

from todoke_shared.postgres.pool import open_pool

_LAST = "SELECT query FROM pg_stat_activity WHERE pid = $1"


async def test_what_was_left_open_is_undone(postgres_dsn: str) -> None:
    """Whoever has the session next neither sees it nor commits it, and finds it in no transaction."""
    async with await open_pool(postgres_dsn, application="test", schema="segmenter", size=1) as pool:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg tells of the open transaction
        async with pool.acquire() as connection:
            await connection.transaction().start()
            await connection.execute("SET LOCAL statement_timeout = '77ms'")
            await connection.execute("INSERT INTO inbox (key) VALUES (gen_random_uuid())")
        async with pool.acquire() as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
            assert await connection.fetchval("SHOW statement_timeout") == "5s"


async def test_a_session_is_given_back_without_a_word(postgres_dsn: str) -> None:
    """Each use of the pool is the statements of that use: a round trip after each would double the short ones."""
    async with (
        await open_pool(postgres_dsn, application="test", schema="segmenter", size=1) as pool,
        await open_pool(postgres_dsn, application="test", schema="segmenter", size=1) as onlooker,
    ):
        session = await pool.fetchval("SELECT pg_backend_pid()")
        await pool.fetchval("SELECT 'the last word'")
        assert await onlooker.fetchval(_LAST, session) == "SELECT 'the last word'"
