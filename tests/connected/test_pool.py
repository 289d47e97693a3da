"""Sessions of a pool: PostgreSQL ends those whose other side is gone."""

from todoke_shared.postgres.pool import open_pool

_ASKED = """
SELECT name, reset_val FROM pg_settings WHERE source = 'client' AND (name LIKE 'tcp%' OR name LIKE '%timeout')
"""
"""`reset_val`: what the session asked for when it began. Over a Unix socket `setting` is 0 for those of TCP."""


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
