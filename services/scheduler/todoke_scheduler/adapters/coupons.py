"""Pools of coupon codes in PostgreSQL: a code is given once, and a step of a run has one at most."""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "coupons.sql")
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""None that is taken for another when it is read aloud or typed."""
_RANDOM_LETTERS = 10
"""50 bits: nobody guesses one of a million codes in the shop's till."""
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Wanted:
    """A step of a run that gives a code of a pool to the person."""

    run: UUID
    step: str
    pool: str
    person: UUID


@dataclass(frozen=True)
class Pool:
    """A pool, and how many of its codes are free, given, and redeemed of those."""

    pool: str
    unused: int
    assigned: int
    redeemed: int


async def assign_codes(connection: Connection, wanted: Sequence[Wanted], now: datetime) -> dict[tuple[UUID, str], str]:
    """A code for each, by run and step: the one that the step has, or a free one; none where the pool is empty."""
    given: dict[tuple[UUID, str], str] = {}
    by_pool: dict[str, list[Wanted]] = defaultdict(list)
    for one in wanted:
        by_pool[one.pool].append(one)
    for pool, ones in sorted(by_pool.items()):
        columns = [one.run for one in ones], [one.step for one in ones], [one.person for one in ones]
        for row in await connection.fetch(_SQL["assign_codes"], pool, *columns, now):
            given[row["enrolment_id"], row["step"]] = row["code"]
    return given


async def add_codes(pool: "asyncpg.Pool[asyncpg.Record]", name: str, codes: Iterable[str]) -> int:
    """Put codes into a pool, which is made if it is not there, all or none; how many were not in it before."""
    added = 0
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["add_pool"], name)
        for batch in _batches(codes):
            added += len(await connection.fetch(_SQL["add_codes"], name, batch))
    return added


async def generate_codes(pool: "asyncpg.Pool[asyncpg.Record]", name: str, number: int, prefix: str) -> int:
    """Make so many new codes for a pool, which begin with `prefix`."""
    return await add_codes(pool, name, (prefix + _random() for _ in range(number)))


async def pools_with_codes(pool: "asyncpg.Pool[asyncpg.Record]", names: Collection[str]) -> set[str]:
    """Those of the pools that have a code to give."""
    return {row["pool"] for row in await pool.fetch(_SQL["pools_with_codes"], list(names))}


async def list_pools(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Pool]:
    """Every pool, by name. Needs an operator's rights: what was redeemed the segmenter knows."""
    return [Pool(**dict(row)) for row in await pool.fetch(_SQL["list_pools"])]


def _random() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))


def _batches(codes: Iterable[str]) -> Iterable[Collection[str]]:
    batch: list[str] = []
    for code in codes:
        batch.append(code)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
