"""The segments of campaigns that people enter by a date: kept beside those of the shop, and published as they are.

So all segmenters ask them at one revision, and everybody is asked after a campaign's date has changed. The campaigns
are read under the publishers' lock: of two segmenters, the one that has not yet heard of a campaign takes nothing back.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import asyncpg
from pydantic import ValidationError

from todoke_segmenter.domain.segments import DateEntry, is_hidden
from todoke_segmenter.domain.segments.dates import HIDDEN
from todoke_shared.campaigns.model import Campaign
from todoke_shared.jsons import dumps_text
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "segments.sql")


class _Version(NamedTuple):
    segment: str
    version: int
    document: Mapping[str, Any]
    withdrawn: bool


async def keep_dates(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Put in force what the campaigns in force ask for, and withdraw the rest. Harmless when all is as it should be."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["lock"])
        wanted, unreadable = await _wanted(connection)
        known = {row["segment"]: row for row in await connection.fetch(_SQL["newest"]) if is_hidden(row["segment"])}
        news = [
            _Version(name, known[name]["version"] + 1 if name in known else 1, document, withdrawn=False)
            for name, document in wanted.items()
            if name not in known or known[name]["withdrawn"] or known[name]["document"] != document
        ]
        news += [
            _Version(name, row["version"] + 1, row["document"], withdrawn=True)
            for name, row in known.items()
            if not (row["withdrawn"] or name in wanted or name in unreadable)
        ]
        if news:
            revision: int = await connection.fetchval(_SQL["last_revision"])
            names, versions, documents, withdrawn = zip(*news, strict=True)
            await connection.execute(
                _SQL["publish_dates"], revision, names, versions, list(map(dumps_text, documents)), withdrawn
            )


async def _wanted(connection: Connection) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What the campaigns in force ask for, by segment; and the segments of those that a newer release will read."""
    wanted: dict[str, dict[str, Any]] = {}
    unreadable: set[str] = set()
    for row in await connection.fetch(_SQL["campaigns"]):
        try:
            entry = DateEntry.of(Campaign.model_validate(row["document"]))
        except ValidationError:
            unreadable.add(HIDDEN + row["campaign"])
            continue
        if entry is not None:
            wanted[entry.segment] = entry.to_document()
    return wanted, unreadable
