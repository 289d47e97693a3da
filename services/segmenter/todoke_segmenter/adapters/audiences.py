"""How many people, and who: in a segment, or of whom a condition holds.

A large installation is not counted but sampled: person ids are hashes, so that equal slices of them are a fair sample.
Slices all over their range, for ids of people who were merged are not: the smaller of two remains.
"""

import math
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID

import asyncpg

from todoke_shared.conditions import Condition
from todoke_shared.people.conditions import Moment, Sql, compile_condition
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "audiences.sql")

COUNTED = 50_000
"""Rows of `people` up to which every one is looked at."""
SAMPLE = 20_000
SLICES = 40
_IDS = 2**48
"""Slices are of the ids' first 48 bits; after them comes the version, the same in all (RFC 9562, section 5.5)."""
_Z95 = 1.96


@dataclass(frozen=True)
class Count:
    """`people`, give or take `error` (95 times in a hundred); exact when `error` is 0. `sampled`: rows looked at."""

    people: int
    error: int
    sampled: int


@dataclass(frozen=True)
class Member:
    """Somebody in a segment; `customers` are the ids that the shop knows them by."""

    person: UUID
    since: datetime
    customers: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A segment in force. `asked`: the share of people who were asked since it was published, 0 to 1."""

    segment: str
    name: str
    version: int
    members: Count
    asked: float


async def count_members(pool: "asyncpg.Pool[asyncpg.Record]", segments: Sequence[str]) -> dict[str, Count]:
    """The size of each of these segments."""
    found = await _count(pool, [(f"p.segments ? ${number}::text", [name]) for number, name in enumerate(segments, 3)])
    return dict(zip(segments, found, strict=True))


async def count_holding(
    pool: "asyncpg.Pool[asyncpg.Record]", condition: Condition, now: datetime, zone: tzinfo, account: str | None = None
) -> Count:
    """Of how many a condition (without `segment`) holds at `now`. `account`: whose friend `friend` means; None: any."""
    sql: Sql = compile_condition(condition, account).sql(Moment.at(now, zone), state="parsed.state", first=3)
    [count] = await _count(pool, [(sql.text, list(sql.parameters))])
    return count


async def list_members(connection: Connection, segment: str) -> AsyncGenerator[Member, None]:
    """Everybody in a segment, as of one instant, a page of a server-side cursor at a time."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        # A page of few among many takes long, and so does whoever reads the list.
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        async for row in connection.cursor(_SQL["list_members"], segment, prefetch=1000, timeout=3600):
            yield Member(row["person_id"], datetime.fromisoformat(row["since"]), tuple(row["customers"] or ()))


async def share_asked(pool: "asyncpg.Pool[asyncpg.Record]", revisions: Sequence[int]) -> list[float]:
    """For each revision: which share of people was asked at it or later."""
    rows = await pool.fetch(_SQL["asked"])
    total = sum(row["people"] for row in rows)
    return [
        sum(row["people"] for row in rows if row["segments_revision"] >= revision) / total if total else 1.0
        for revision in revisions
    ]


async def _count(pool: "asyncpg.Pool[asyncpg.Record]", asked: Sequence[tuple[str, list[object]]]) -> list[Count]:
    """Each is an SQL expression over `p`, a row of `people`, and its `parsed` state, and its parameters; together they
    are numbered from 3."""
    parameters = [parameter for _, own in asked for parameter in own]
    columns = "".join(f", count(*) FILTER (WHERE {text})" for text, _ in asked)
    query = _SQL["in_slice"].replace(", true AS columns", columns)  # of our own words; operands are parameters
    share = await _share(pool)
    slices = [(UUID(int=0), UUID(int=2**128 - 1))] if share is None else _slices(share)
    # One by one: of several in a query PostgreSQL cannot know how narrow they are, and would read the whole table.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        rows = [await connection.fetch(query, low, high, *parameters) for low, high in slices]
    sampled, *found = (sum(column) for column in zip(*(row.values() for [row] in rows), strict=True))
    return [_counted(number, sampled, share) for number in found]


async def _share(pool: "asyncpg.Pool[asyncpg.Record]") -> float | None:
    """Of all ids, how many to look at; None: at all of them."""
    few: bool = await pool.fetchval(_SQL["are_few"], COUNTED)
    if few:
        return None
    people: float = await pool.fetchval(_SQL["about"])
    return min(1.0, SAMPLE / max(people, COUNTED))


def _slices(share: float) -> list[tuple[UUID, UUID]]:
    """Equal slices of the ids, at equal distances, that together are this share of them: where each begins and ends."""
    step = _IDS // SLICES
    width, begin = int(step * share), random.randrange(step)  # noqa: S311 - nobody gains by guessing it
    lows = [(begin + number * step) % _IDS for number in range(SLICES)]
    pairs = [(low, min(low + width, _IDS)) for low in lows]
    pairs += [(0, low + width - _IDS) for low in lows if low + width > _IDS]
    return [(UUID(int=low << 80), UUID(int=(high << 80) - 1)) for low, high in pairs]


def _counted(found: int, sampled: int, share: float | None) -> Count:
    if share is None:
        return Count(found, 0, sampled)
    # Each person is in the sample with probability `share`. Who finds nobody has missed at most 3, 95 times in 100.
    error = _Z95 * math.sqrt(found * (1 - share)) / share if found else 3 / share
    return Count(round(found / share), math.ceil(error), sampled)
