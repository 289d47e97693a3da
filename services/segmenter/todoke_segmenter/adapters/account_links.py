"""The halves of LINE's account links, kept until they meet: by the hash of the nonce, never the nonce."""

import asyncio
from collections.abc import Sequence

import asyncpg

from todoke_segmenter.domain.account_links import Half, Linked, half_of, identified
from todoke_segmenter.domain.happening import Happening
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection, admit

_SQL = load_queries("todoke_segmenter.adapters", "account_links.sql")
_PURGE_SECONDS = 3600.0


async def links_made(connection: Connection, news: Sequence[Happening]) -> list[Happening]:
    """That people are one, where one of these happenings tells the second half of a nonce; each once and for all."""
    # The first of two in a batch stays, too.
    halves = {(half.shop, half.nonce_sha256): half for happening in reversed(news) if (half := half_of(happening))}
    if not halves:
        return []
    rows = await connection.fetch(_SQL["keep_halves"], *_columns(list(halves.values())))
    whole = [row for row in rows if row["customer"] is not None and row["line_user"] is not None]
    made = {happening.key: happening for happening in map(_identified, whole)}
    new = await admit(connection, made)  # a half that is told again completes nothing again
    return [made[key] for key in sorted(new)]


async def purge_account_links(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Forget what no redelivery can complete; then rest."""
    await pool.execute(_SQL["purge"])
    await asyncio.sleep(_PURGE_SECONDS)


def _identified(row: asyncpg.Record) -> Happening:
    linked = Linked(row["line_user"], row["linked_at"], row["linked_by"], row["standby"])
    return identified(row["shop"], row["customer"], linked)


def _columns(halves: Sequence[Half]) -> list[list[object]]:
    linked = [half.linked for half in halves]
    return [
        [half.shop for half in halves],
        [half.nonce_sha256 for half in halves],
        [half.customer for half in halves],
        [one.line_user if one else None for one in linked],
        [one.at if one else None for one in linked],
        [one.by if one else None for one in linked],
        [one.standby if one else None for one in linked],
    ]
