"""Publishing segments: a changed document becomes the next version, an unchanged one stays what it is.

Withdrawing one is a version too: from it on, none is in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg
from pydantic import ValidationError

from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.campaigns.model import Campaign, If, Send, walk
from todoke_shared.conditions import ConditionError, resolve_all, segments_named
from todoke_shared.conditions.operands import one_of_these
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
        last = {row["segment"]: row["version"] for row in await connection.fetch(_SQL["last_versions"])}
        publications = []
        for name, segment in wanted.items():
            known, document = in_force.get(name), segment.to_document()
            if known is not None and known["document"] == document:
                publications.append(Publication(name, known["version"], new=False))
                continue
            version = last.get(name, 0) + 1
            revision += 1
            await connection.execute(_SQL["publish"], name, version, revision, document)
            publications.append(Publication(name, version, new=True))
        return publications


async def withdraw(pool: "asyncpg.Pool[asyncpg.Record]", name: str) -> None:
    """Take a segment out of force: whoever is in it leaves it, told, when the segmenter next looks at them.

    ValueError, naming them, while a campaign in force or another segment asks for it; or where there is none.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["lock"])
        await connection.execute(_SQL["lock_campaigns"])
        segments = await current_segments(connection)
        one_of_these(name, (), [one.segment.segment for one in segments], "segment")
        users = [f"segment {one.segment.segment}" for one in segments if name in segments_named(one.segment.condition)]
        users += [f"campaign {one.campaign}" for one in await _campaigns(connection) if name in _named_by(one)]
        if users:
            raise ValueError(
                f"{name} is not withdrawn: it is asked for by {', '.join(users)}; publish them without it first"
            )
        revision: int = await connection.fetchval(_SQL["last_revision"])
        await connection.execute(_SQL["withdraw"], name, revision + 1)


async def _campaigns(connection: Connection) -> list[Campaign]:
    try:
        return [Campaign.model_validate(row["document"]) for row in await connection.fetch(_SQL["campaigns"])]
    except ValidationError:
        raise ValueError("a campaign in force is of a newer release; withdraw the segment with that one") from None


def _named_by(campaign: Campaign) -> frozenset[str]:
    """The segments that its entry, exits, goals and steps ask for."""
    rules = (campaign.enter, *campaign.exit, *campaign.goal)
    events = frozenset(rule.segment for rule in rules if rule.segment is not None)
    steps = [step for _, step in walk(campaign.steps) if isinstance(step, Send | If)]
    conditions = [one.condition for one in (*rules, *steps) if one.condition is not None]
    return events.union(*map(segments_named, conditions))


async def _check(connection: Connection, wanted: dict[str, Segment]) -> None:
    conditions = {one.segment.segment: one.segment.condition for one in await current_segments(connection)}
    conditions |= {name: segment.condition for name, segment in wanted.items()}
    try:
        resolve_all(conditions)
    except ConditionError as error:
        raise ValueError(f"nothing is published: {error}") from None
