"""The two states as they are read: the live one as of one instant, the rebuilt one, and who is tied to whom."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from todoke_segmenter.rebuilding.scratch import SCHEMA
from todoke_shared.people import PersonState, decode_state
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_segmenter.rebuilding", "sides.sql")
LIVE = "segmenter"
PREFETCH = 2000
ROUNDS = 8
"""How far ties are followed: a family's logins and merges; whoever is tied further is looked at from there."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Rows: TypeAlias = "AsyncIterator[asyncpg.Record]"


@asynccontextmanager
async def connect(dsn: str, schema: str) -> AsyncIterator[Connection]:
    """A connection for long looks: unlike a service's, it has no end to a statement."""
    settings = {"application_name": "todoke-rebuild", "search_path": f"{schema},public", "timezone": "UTC"}
    connection = await asyncpg.connect(dsn, timeout=10, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


@dataclass
class Sides:
    """Both states, each as of the instant at which its transaction began.

    `complete_since`: whoever is known from later on has all their events in the topics; None: everybody has.
    """

    live: Connection
    rebuilt: Connection
    complete_since: datetime | None = None

    def people(self, side: Connection) -> "Rows":
        """Everybody, by id."""
        return aiter(side.cursor(_SQL["people"], self.complete_since, prefetch=PREFETCH))

    def products(self, side: Connection) -> "Rows":
        """The catalogue, by shop and id."""
        return aiter(side.cursor(_SQL["products"], self.complete_since, prefetch=PREFETCH))

    async def states(self, people: Sequence[UUID]) -> tuple[dict[UUID, PersonState], dict[UUID, PersonState]]:
        """What is known of some people, live and rebuilt."""
        live, rebuilt = [
            {row["person_id"]: decode_state(row["state"]) for row in await side.fetch(_SQL["states"], people)}
            for side in (self.live, self.rebuilt)
        ]
        return live, rebuilt

    async def tied(self, people: Iterable[UUID]) -> dict[UUID, set[UUID]]:
        """With whom each of these is, was or might be one person, in either state; with themselves at least."""
        people = list(people)
        ties: dict[UUID, set[UUID]] = defaultdict(set)
        seen: set[UUID] = set()
        new = set(people)
        for _ in range(ROUNDS):
            if not new:
                break
            seen |= new
            asked = sorted(new)
            rows = [
                *await self.live.fetch(_SQL["neighbours"], asked),
                *await self.rebuilt.fetch(_SQL["neighbours"], asked),
                *await self.rebuilt.fetch(_SQL["same_identifiers"], asked),
            ]
            for row in rows:
                ties[row["one"]].add(row["other"])
                ties[row["other"]].add(row["one"])
            new = ties.keys() - seen
        return {person: _reached(person, ties) for person in people}

    async def uncovered(self, people: Iterable[UUID]) -> set[UUID]:
        """Those of whom the topics may not tell everything."""
        if self.complete_since is None:
            return set()
        rows = await self.live.fetch(_SQL["uncovered"], self.complete_since, sorted(people))
        return {row["person_id"] for row in rows}


@asynccontextmanager
async def open_sides(live: Connection, dsn: str, complete_since: datetime | None) -> AsyncIterator[Sides]:
    """`live` is in a transaction that sees one instant; the rebuilt state is looked at from now on."""
    async with connect(dsn, SCHEMA) as rebuilt, rebuilt.transaction(isolation="repeatable_read", readonly=True):
        yield Sides(live, rebuilt, complete_since)


def _reached(person: UUID, ties: dict[UUID, set[UUID]]) -> set[UUID]:
    reached, new = {person}, [person]
    while new:
        found = ties.get(new.pop(), set()) - reached
        reached |= found
        new += found
    return reached
