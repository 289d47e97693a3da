"""Topics -> the scratch schema, by the segmenter's own handlers, at the times at which the records were written.

May block: on Kafka and PostgreSQL. May lose: nothing; each batch commits its positions with its state, so that whoever
is interrupted goes on where it was. Sends nothing: nobody relays the scratch outbox.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

import asyncpg

from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, OUTCOMES
from todoke_shared.kafka.records import BatchHandler, Record
from todoke_shared.kafka.retained import Place, RetainedTopics, Stretch

TOPICS = (EC_EVENTS, LINE_EVENTS, OUTCOMES)
_POSITIONS = "SELECT topic, partition, next_offset FROM consumed WHERE cluster = $1"

Tell = Callable[[int], None]
"""Called with the number of records done since the last call."""


class ClockOfRecords:
    """Stands at the time of the newest record: what was late, or due, is so again."""

    def __init__(self) -> None:
        self._instant = datetime(2000, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """The instant it was last moved to."""
        return self._instant

    def wall(self) -> datetime:
        """The same: nothing is sent."""
        return self._instant

    @property
    def rate(self) -> float:
        """Nothing is simulated."""
        return 1.0

    async def sleep_until_wall(self, instant: datetime) -> None:
        """Nobody waits in the past."""

    def move_to(self, instant: datetime) -> None:
        """Forward, or not at all."""
        self._instant = max(self._instant, instant)


class Fold:
    """A state that is being rebuilt. `pool` sees the scratch schema."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", topics: RetainedTopics, cluster: str) -> None:
        self._pool = pool
        self._topics = topics
        self._cluster = cluster
        self._clock = ClockOfRecords()
        self._campaigns, self._segments = CampaignCatalogue(pool), SegmentCatalogue(pool)
        self._segmenter = Segmenter(
            pool, self._campaigns, self._clock, cluster=cluster, wake=_nobody, segments=self._segments
        )
        self._takers: Mapping[str, BatchHandler] = {
            EC_EVENTS.name: self._segmenter.take_ec_events,
            LINE_EVENTS.name: self._segmenter.take_line_events,
            OUTCOMES.name: self._segmenter.take_outcomes,
        }
        self._by_clock = ByClock(pool, self._segmenter.rulebook, self._clock, wake=_nobody)

    async def learn_rules(self) -> None:
        """The campaigns and segments in force."""
        await self._campaigns.refresh()
        await self._segments.refresh()

    async def positions(self) -> dict[Place, int]:
        """How far it is."""
        return await positions(self._pool, self._cluster)

    async def up_to(self, targets: Mapping[Place, int], begins: Mapping[Place, int], tell: Tell) -> int:
        """Fold what lies before `targets` and is not folded yet, and give the number of records."""
        done = await self.positions()
        left = {place: Stretch(done.get(place, begins[place]), end) for place, end in targets.items()}
        folded = 0
        async for chunk in self._topics.read(left):
            await self.clock_to(chunk.written_at)
            for topic, records in groupby(sorted(chunk.records, key=_topic), _topic):
                await self._take(topic, list(records))
            folded += len(chunk.records)
            tell(len(chunk.records))
        return folded

    async def clock_to(self, instant: datetime) -> None:
        """Let everything that time alone changes happen up to an instant."""
        self._clock.move_to(instant)
        while await self._by_clock.check_due():
            pass

    async def _take(self, topic: str, records: Sequence[Record]) -> None:
        await self._takers[topic](records)


async def positions(
    connection: "asyncpg.Connection[asyncpg.Record] | asyncpg.Pool[asyncpg.Record]", cluster: str
) -> dict[Place, int]:
    """How far each partition has been taken, in the schema that the connection sees."""
    names = {topic.name for topic in TOPICS}
    rows = await connection.fetch(_POSITIONS, cluster)
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows if row["topic"] in names}


def _topic(record: Record) -> str:
    return record.topic


def _nobody() -> None:
    """Nobody waits for the scratch outbox."""
