"""Making, listing, rotating and revoking keys: what an operator's commands do in PostgreSQL.

A key's text exists in the answer of `create_key` and `rotate_key` and nowhere else. ValueErrors tell the operator what
to do instead.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from todoke_ingest.domain.keys import Limit, hash_of, hint_of, new_key
from todoke_ingest.requests import Purpose
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_ingest.operator", "issuing.sql")


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key allows. `origins`: the sites that a browser's key may be used from; none means any."""

    limit: Limit
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key in force as an operator sees it. Instants are real time; `expires_at` is None for one without an end."""

    hint: str
    shop: str
    purpose: Purpose
    terms: KeyTerms
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new key, and when the older one (by its hint) ends."""

    key: str
    older: str
    expires_at: datetime


async def create_key(pool: "asyncpg.Pool[asyncpg.Record]", shop: str, purpose: Purpose, terms: KeyTerms) -> str:
    """A new key, in force beside the one that there may be. ValueError when there are two."""
    async with pool.acquire() as connection, connection.transaction():
        await _make_room(connection, shop, purpose)
        return await _add(connection, shop, purpose, terms)


async def rotate_key(pool: "asyncpg.Pool[asyncpg.Record]", shop: str, purpose: Purpose, grace: timedelta) -> Rotation:
    """A new key on the terms of the older one, which ends after `grace`. ValueError when there is none, or two."""
    async with pool.acquire() as connection, connection.transaction():
        await _make_room(connection, shop, purpose)
        row = await connection.fetchrow(_SQL["newest_key"], shop, purpose)
        if row is None:
            raise ValueError(f"shop {shop} has no key for {purpose}; `todoke keys create {shop} --for {purpose}`")
        key = await _add(connection, shop, purpose, _terms(row))
        [older] = await connection.fetch(_SQL["expire_others"], shop, purpose, hint_of(key), grace)
        return Rotation(key, older["hint"], older["expires_at"])


async def revoke_key(pool: "asyncpg.Pool[asyncpg.Record]", hint: str) -> tuple[str, Purpose]:
    """Take a key out of force; its shop and purpose. ValueError when none is called so."""
    row = await pool.fetchrow(_SQL["revoke_key"], hint)
    if row is None:
        raise ValueError(f"there is no key {hint}; `todoke keys list` shows those in force")
    return row["shop"], row["purpose"]


async def list_keys(pool: "asyncpg.Pool[asyncpg.Record]") -> list[ListedKey]:
    """The keys in force, by shop and purpose, the older first."""
    return [_listed(row) for row in await pool.fetch(_SQL["list_keys"])]


async def _make_room(connection: Connection, shop: str, purpose: Purpose) -> None:
    await connection.execute(_SQL["take_turns"])
    await connection.execute(_SQL["drop_expired"], shop, purpose)


async def _add(connection: Connection, shop: str, purpose: Purpose, terms: KeyTerms) -> str:
    key, limit = new_key(purpose), terms.limit
    added = await connection.fetchrow(
        _SQL["add_key"],
        hash_of(key),
        hint_of(key),
        shop,
        purpose,
        list(terms.origins),
        limit.per_second,
        limit.burst,
    )
    if added is None:
        raise ValueError(
            f"shop {shop} has two keys for {purpose} already; `todoke keys list` shows them, "
            "`todoke keys revoke HINT` ends the one that nobody uses any more"
        )
    return key


def _terms(row: asyncpg.Record) -> KeyTerms:
    return KeyTerms(Limit(row["per_second"], row["burst"]), tuple(row["origins"]))


def _listed(row: asyncpg.Record) -> ListedKey:
    return ListedKey(row["hint"], row["shop"], row["purpose"], _terms(row), row["created_at"], row["expires_at"])
