"""Published segments, as the segmenter reads them: versions are immutable, so what is known stays known."""

import logging
from collections.abc import Iterable

import asyncpg
import msgspec
from pydantic import ValidationError

from todoke_segmenter.adapters.dates import keep_dates
from todoke_segmenter.domain.segments import DateEntry, SegmentRules, is_hidden
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection
from todoke_shared.segments.model import Segment
from todoke_shared.segments.published import PublishedSegment

logger = logging.getLogger("todoke.segments")

_SQL = load_queries("todoke_segmenter.adapters", "segments.sql")
_UNREADABLE = "version %d of segment %s cannot be read by this release: %s"


class SegmentCatalogue:
    """The segments in force. `rules` is the same object as long as nothing is published."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._seen = 0
        self._rules = SegmentRules()

    @property
    def rules(self) -> SegmentRules:
        """The segments in force, compiled."""
        return self._rules

    async def refresh(self, connection: "Connection | None" = None) -> None:
        """Learn what was published since. Within a transaction give its `connection`: a second one might never come."""
        asked = connection or self._pool
        last: int = await asked.fetchval(_SQL["last_revision"])
        if last != self._seen:
            newest = await asked.fetch(_SQL["newest"])
            withdrawn = {row["segment"]: row["withdrawn_at"] for row in newest if row["withdrawn_at"] is not None}
            in_force = [row for row in newest if not row["withdrawn"]]
            self._rules = SegmentRules(_readable(in_force), withdrawn, _dates(in_force))
            self._seen = last

    async def keep_dates(self, campaigns: Iterable[Campaign]) -> None:
        """See to it that each of these, which are in force, that is entered by a date has its segment, and no other."""
        if {entry for campaign in campaigns if (entry := DateEntry.of(campaign)) is not None} != self._rules.dates:
            await keep_dates(self._pool)
            await self.refresh()


async def current_segments(asked: "Connection | asyncpg.Pool[asyncpg.Record]") -> list[PublishedSegment]:
    """The version in force of each segment, by name; one that this release cannot read is told, and left out."""
    return _readable(await asked.fetch(_SQL["current_segments"]))


def _readable(rows: Iterable[asyncpg.Record]) -> list[PublishedSegment]:
    found = []
    for row in rows:
        if is_hidden(row["segment"]):
            continue
        try:
            segment = Segment.model_validate(row["document"])
        except ValidationError as error:
            logger.error(_UNREADABLE, row["version"], row["segment"], bad_message(error))
            continue
        found.append(PublishedSegment(row["version"], row["revision"], segment))
    return found


def _dates(rows: Iterable[asyncpg.Record]) -> list[tuple[DateEntry, int]]:
    found = []
    for row in rows:
        if not is_hidden(row["segment"]):
            continue
        try:
            found.append((DateEntry.from_document(row["document"]), row["revision"]))
        except msgspec.ValidationError as error:
            logger.error(_UNREADABLE, row["version"], row["segment"], error)
    return found
