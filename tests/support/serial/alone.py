"""A segmenter alone: real but for its topics and its clock, which stands still until the story moves it."""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.memory_topics import MemoryTopics
from tests.support.serial.judging import Rules, by_key, in_one_batch
from tests.support.serial.load import STORY
from tests.support.serial.reader import Fired
from tests.support.serial.readings import Stored, read_stored, read_triggers
from tests.support.serial.told import Told
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LINE_EVENTS
from todoke_shared.jsons import loads
from todoke_shared.kafka.records import Record
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.pool import open_pool

Arrival = tuple[datetime, Told]


@dataclass(frozen=True)
class Outcome:
    """What a segmenter made of a story. `handled`: what was new in each batch, in the order in which it is decided."""

    stored: Stored
    fired: list[Fired]
    ids: list[UUID]
    handled: list[tuple[datetime, list[Told]]]


class Telling:
    """Gives a segmenter what has come, and notes what was new in it."""

    def __init__(self, topics: MemoryTopics, segmenter: Segmenter, clock: FakeClock, told: Sequence[Told]) -> None:
        self.handled: list[tuple[datetime, list[Told]]] = []
        self._topics = topics
        self._clock = clock
        self._handlers = (
            (EC_EVENTS.name, segmenter.take_ec_events),
            (LINE_EVENTS.name, segmenter.take_line_events),
        )
        self._events = {one.record.value: one for one in told}
        self._known: set[Told] = set()

    async def take(self, came: Sequence[Told]) -> None:
        """All of these, in batches as the service reads them."""
        await self._topics.publish([told.record for told in came])
        for topic, handler in self._handlers:
            while batch := self._topics.read(topic, "alone"):
                await handler(batch)
                self._topics.done(topic, "alone", batch)
                self._note(batch)

    def _note(self, batch: Sequence[Record]) -> None:
        new = {self._events[record.value] for record in batch} - self._known
        self._known |= new
        self.handled.append((self._clock.now(), in_one_batch(new)))


async def tell(
    dsn: str, rules: Rules, schedule: Sequence[Arrival], shops: Sequence[str], *, step: timedelta
) -> Outcome:
    """Tell a schedule, so much of it at a time; then let as much time pass as the story took."""
    async with AsyncExitStack() as stack:
        pools = {
            room: await stack.enter_async_context(await open_pool(dsn, application="alone", schema=room, size=4))
            for room in ("segmenter", "scheduler")
        }
        pool = pools["segmenter"]
        await publish_segments(pool, rules.segments())
        await publish_campaigns(pools["scheduler"], rules.campaigns())
        catalogue, segments = CampaignCatalogue(pool), SegmentCatalogue(pool)
        await catalogue.refresh()
        await segments.refresh()
        clock, topics = FakeClock(schedule[0][0]), MemoryTopics()
        segmenter = Segmenter(pool, catalogue, clock, cluster="memory", wake=_nothing, segments=segments)
        by_clock = ByClock(pool, segmenter.rulebook, clock, wake=_nothing)
        telling = Telling(topics, segmenter, clock, [told for _, told in schedule])
        for until, came in [*_in_steps(schedule, step), (schedule[-1][0] + STORY, [])]:
            clock.move_to(until)
            while await by_clock.check_due():
                pass
            await telling.take(came)
        async with Relay(pool, "segmenter", topics) as relay:
            while await relay.publish_some():
                pass
        triggers = topics.logs[CUSTOMER_TRIGGERS.name]
        return Outcome(
            stored=await read_stored(pool, shops),
            fired=read_triggers(triggers, by_key(told for _, told in schedule)),
            ids=[UUID(loads(record.value or b"")["id"]) for record in triggers],
            handled=[*telling.handled, (clock.now(), [])],
        )


def _in_steps(schedule: Sequence[Arrival], step: timedelta) -> Iterator[tuple[datetime, list[Told]]]:
    came: list[Told] = []
    until = schedule[0][0] + step
    for at, told in schedule:
        while at >= until:
            yield until, came
            came, until = [], until + step
        came.append(told)
    yield until, came


def _nothing() -> None:
    """Nobody needs waking: the story pumps."""
