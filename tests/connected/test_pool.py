"""Sessions of a pool: each comes back as good as new, for nothing; PostgreSQL ends those whose other side is gone."""

import asyncio

from todoke_shared.postgres.pool import open_pool

_LAST = "SELECT query FROM pg_stat_activity WHERE pid = $1"
_ASKED = """
SELECT name, reset_val FROM pg_settings WHERE source = 'client' AND (name LIKE 'tcp%' OR name LIKE '%timeout')
"""
"""`reset_val`: what the session asked for when it began. Over a Unix socket `setting` is 0 for those of TCP."""


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


async def test_a_session_asks_to_be_ended_when_nobody_is_there_any_more(postgres_dsn: str) -> None:
    """In a transaction, before an answer that nobody acknowledges, and idle: what it holds is others' again."""
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as pool:
        assert {row["name"]: row["reset_val"] for row in await pool.fetch(_ASKED)} == {
            "idle_in_transaction_session_timeout": "15000",
            "statement_timeout": "5000",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_user_timeout": "10000",
        }
