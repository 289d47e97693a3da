"""One way to open PostgreSQL: every call has an end (RELIABILITY: asyncpg's `command_timeout=None` wedges a pool)."""

import asyncpg

from todoke_shared.jsons import dumps_text, loads
from todoke_shared.postgres.dsn import check_dsn

CALL_TIMEOUT_SECONDS = 5.0
"""Longer than any statement of ours, shorter than a pod's patience; a black-holed socket fails within it."""
_GONE = {
    "idle_in_transaction_session_timeout": "15000",
    "tcp_user_timeout": "10000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
}
"""When PostgreSQL ends a session whose other side is gone, and with it all that it holds: it says nothing in a
transaction, acknowledges nothing (both milliseconds), or is idle (seconds). A Unix socket knows the first alone."""


async def open_pool(dsn: str, *, application: str, schema: str, size: int = 8) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool whose connections see `schema` first, read `jsonb` as Python values, and give up after five seconds.

    Raises OSError or asyncpg.PostgresError when PostgreSQL cannot be reached, ValueError when the DSN is none.
    """
    return await asyncpg.create_pool(
        check_dsn(dsn),
        min_size=1,
        max_size=size,
        timeout=CALL_TIMEOUT_SECONDS,
        command_timeout=CALL_TIMEOUT_SECONDS,
        max_inactive_connection_lifetime=60,
        init=_teach_json,
        reset=_leave_as_it_is,
        server_settings={
            "application_name": f"todoke-{application}",
            "search_path": f"{schema},public",
            "statement_timeout": str(int(CALL_TIMEOUT_SECONDS * 1000)),
            "timezone": "UTC",
            **_GONE,
        },
    )


async def _leave_as_it_is(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """asyncpg has rolled back what was still open. Its own reset is a round trip after each use, for sessions that were
    changed; ours are not: settings are LOCAL to a transaction, and who takes a session's lock ends the session."""


async def _teach_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=dumps_text, decoder=loads, format="text")
