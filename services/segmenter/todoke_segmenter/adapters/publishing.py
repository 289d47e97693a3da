"""Publishing segments: a changed document becomes the next version, an unchanged one stays what it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.conditions import ConditionError, resolve_all
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection
from todoke_shared.segments.model import Segment

_SQL = load_queries("todoke_segmenter.adapters", "segments.sql")


@dataclass(frozen=True)
class Publication:
    """What publishing came to: the version now in force, and whether it is a new one."""

    segment: str
    version: int
    new: bool


async def publish(pool: "asyncpg.Pool[asyncpg.Record]", segments: Iterable[Segment]) -> list[Publication]:
    """Put segments in force, all or none. Two publishers at once take turns.

    ValueError when, with those already in force, one asks for a segment that there is not, or they ask in a circle.
    """
    wanted = {segment.segment: segment for segment in segments}
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["lock"])
        await _check(connection, wanted)
        revision: int = await connection.fetchval(_SQL["last_revision"])
        in_force = {row["segment"]: row for row in await connection.fetch(_SQL["current_segments"])}
        publications = []
        for name, segment in wanted.items():
            known, document = in_force.get(name), segment.to_document()
            if known is not None and known["document"] == document:
                publications.append(Publication(name, known["version"], new=False))
                continue
            version = 1 if known is None else known["version"] + 1
            revision += 1
            await connection.execute(_SQL["publish"], name, version, revision, document)
            publications.append(Publication(name, version, new=True))
        return publications


async def _check(connection: Connection, wanted: dict[str, Segment]) -> None:
    conditions = {one.segment.segment: one.segment.condition for one in await current_segments(connection)}
    conditions |= {name: segment.condition for name, segment in wanted.items()}
    try:
        resolve_all(conditions)
    except ConditionError as error:
        raise ValueError(f"nothing is published: {error}") from None
