"""All four services in one process under a clock that stands still until the story moves it.

Real: the doors, the handlers, PostgreSQL with every query, the outbox relays. In memory: the topics and LINE, each held
to the real one's promises by a contract suite. Everything runs when it is told to, so a story is the same every time.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from tests.support.doors import Doors
from tests.support.line_webhooks import line_user_id, signed_event
from tests.support.memory_topics import MemoryTopics
from todoke_dispatcher.adapters.memory import AcceptedRequest, MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.settings import DispatcherSettings
from todoke_ingest.answers import Answer
from todoke_ingest.handlers.intake import Intake
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.adapters.timers import next_due
from todoke_scheduler.handlers import Scheduler
from todoke_segmenter.adapters.memberships import next_check
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.accounts import SIMULATOR_SECRET, load_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LANES, LINE_EVENTS, OUTCOMES
from todoke_shared.jsons import dumps, loads
from todoke_shared.kafka.records import BatchHandler
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment
from todoke_shared.shops import Shop

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
CLUSTER = "memory"
_WAITING = """
SELECT EXISTS (SELECT FROM segmenter.outbox) AS segmenter,
       EXISTS (SELECT FROM scheduler.outbox) AS scheduler,
       EXISTS (SELECT FROM dispatcher.outbox) AS dispatcher,
       EXISTS (SELECT FROM dispatcher.deliveries
                WHERE state NOT IN ('accepted', 'failed', 'unknown', 'dropped'))
       OR EXISTS (SELECT FROM dispatcher.crowds WHERE state NOT IN ('told', 'opened')) AS line
"""
"""Where something waits to go on. Most steps of a story find nothing, and it takes them a query instead of twenty."""


@dataclass(frozen=True)
class SentMessage:
    """What LINE took: when (the clock's instant), for whom, the text, and whether as a free reply."""

    at: datetime
    to: str
    text: str
    free: bool = False


@dataclass
class Pipeline:
    """The system and its world. Post events, move the clock, look at `sent`."""

    clock: FakeClock
    topics: MemoryTopics
    line: MemoryLine
    door: Doors
    scheduler: Scheduler
    dispatcher: Dispatcher
    pool: "asyncpg.Pool[asyncpg.Record]"
    by_clock: ByClock
    people: "asyncpg.Pool[asyncpg.Record]"
    sent: list[SentMessage]
    _handlers: Sequence[tuple[str, str, BatchHandler]]
    _relays: Mapping[str, Relay]
    _noted: int = 0

    async def post(self, *events: dict[str, Any]) -> Answer:
        """Shop events through the HTTP door, and all that comes of them at this instant."""
        answer = await self.door.take_events(dumps(list(events)), "application/cloudevents-batch+json")
        await self.settle()
        return answer

    async def follow(self, *names: str, kind: str = "follow") -> None:
        """These people befriend the account (or `unfollow`), by signed webhooks."""
        for name in names:
            await self._tell(name, {"type": kind})
        await self.settle()

    async def say(self, name: str, **fields: object) -> None:
        """Somebody writes or taps, and all that comes of it at this instant."""
        await self._tell(name, fields)
        await self.settle()

    async def _tell(self, name: str, fields: Mapping[str, object]) -> None:
        """What LINE tells of a person, with a reply token unless they have left."""
        if fields["type"] != "unfollow":
            token = f"token-{name}-{fields['type']}-{self.clock.now().timestamp()}"
            self.line.tokens["main", token] = line_user_id(name)
            fields = {"replyToken": token, **fields}
        body, signature = signed_event(fields, name, self.clock.now(), SIMULATOR_SECRET)
        answer = await self.door.take_line_webhook("main", body, signature)
        assert answer.status == 200, answer

    async def settle(self) -> None:
        """Let everything that can happen at this instant happen."""
        while await self._step():
            pass

    async def run_until(self, instant: datetime) -> None:
        """Move the clock to `instant`, stopping at every timer, and whenever somebody may change a segment."""
        await self._fire()
        while (due := await self._next_due()) is not None and due <= instant:
            self.clock.move_to(max(due, self.clock.now()))
            await self._fire()
        self.clock.move_to(instant)

    async def _next_due(self) -> datetime | None:
        return min(filter(None, (await next_due(self.pool), await next_check(self.people))), default=None)

    async def _fire(self) -> None:
        while await self.by_clock.check_due() or await self.by_clock.sweep():
            await self.settle()
        while await self.scheduler.fire_due():
            pass
        await self.settle()

    async def _step(self) -> int:
        moved = 0
        for topic, group, handler in self._handlers:
            while batch := self.topics.read(topic, group):
                await handler(batch)
                self.topics.done(topic, group, batch)
                moved += len(batch)
        waiting = await self.pool.fetchrow(_WAITING)
        assert waiting is not None
        if waiting["line"]:
            moved += await self.dispatcher.send_some()
            self._note_sent()
        for room, relay in self._relays.items():
            if waiting[room]:
                moved += await relay.publish_some()
        return moved

    def _note_sent(self) -> None:
        news = self.line.accepted[self._noted :]
        self._noted = len(self.line.accepted)
        self.sent += [
            SentMessage(self.clock.now(), to, text, request.retry_key is None)
            for request in news
            for to in request.to
            for text in _texts(request)
        ]

    def sent_to(self, name: str) -> list[str]:
        """The texts that a person received, in order."""
        return [message.text for message in self.sent if message.to == line_user_id(name)]


@asynccontextmanager
async def open_pipeline(
    dsn: str,
    start: datetime,
    *,
    campaigns: Iterable[Campaign] | None = None,
    segments: Iterable[Segment] = (),
    shops: Mapping[str, Shop] | None = None,
    line: LinePort | None = None,
    monthly_limit: int | None = None,
    public_url: str | None = None,
) -> AsyncIterator[Pipeline]:
    """A pipeline on a database of its own. `campaigns`: the shipped ones by default. `shops`: caps and quiet hours.

    `line`: another LINE than the one in memory; what it takes is not noted. `monthly_limit`: the account's.
    `public_url`: what tracked links begin with; without it there are none.
    """
    async with AsyncExitStack() as stack:
        pools = {}
        for room in ("segmenter", "scheduler", "dispatcher"):
            pools[room] = await stack.enter_async_context(await open_pool(dsn, application=room, schema=room, size=4))
        await publish_segments(pools["segmenter"], segments)
        await publish(pools["scheduler"], load_campaigns(CAMPAIGNS) if campaigns is None else campaigns)
        catalogues = {room: CampaignCatalogue(pool) for room, pool in pools.items()}
        for catalogue in catalogues.values():
            await catalogue.refresh()
        known = SegmentCatalogue(pools["segmenter"])
        await known.refresh()
        topics, clock, memory, config = MemoryTopics(), FakeClock(start), MemoryLine(), load_config(None)
        account = config.accounts["main"].model_copy(update={"monthly_limit": monthly_limit})
        config = config.model_copy(update={"accounts": {"main": account}})
        relays = {room: await stack.enter_async_context(Relay(pool, room, topics)) for room, pool in pools.items()}
        segmenter = Segmenter(
            pools["segmenter"], catalogues["segmenter"], clock, cluster=CLUSTER, wake=_nothing, segments=known
        )
        await segmenter.rulebook.learn()
        scheduler = Scheduler(
            pools["scheduler"], clock, catalogues["scheduler"], cluster=CLUSTER, wake=_nothing, shops=shops or {}
        )
        await scheduler.refresh_segments()
        dispatcher = Dispatcher(
            pools["dispatcher"],
            clock,
            cluster=CLUSTER,
            catalogue=catalogues["dispatcher"],
            line=line or memory,
            config=config,
            settings=DispatcherSettings(
                postgres_dsn=dsn,
                kafka_bootstrap_servers="none",
                push_rate=1_000_000,
                multicast_rate=1_000_000,
                public_url=public_url,
            ),
            wake_relay=_nothing,
        )
        yield Pipeline(
            clock=clock,
            topics=topics,
            line=memory,
            door=Doors(Intake(topics, clock, config)),
            scheduler=scheduler,
            dispatcher=dispatcher,
            pool=pools["scheduler"],
            by_clock=ByClock(pools["segmenter"], segmenter.rulebook, clock, wake=_nothing),
            people=pools["segmenter"],
            sent=[],
            _handlers=(
                (LINE_EVENTS.name, "replies", dispatcher.take_line_events),
                (EC_EVENTS.name, "pipeline", segmenter.take_ec_events),
                (LINE_EVENTS.name, "pipeline", segmenter.take_line_events),
                (OUTCOMES.name, "pipeline", segmenter.take_outcomes),
                (CUSTOMER_TRIGGERS.name, "pipeline", scheduler.take_triggers),
                *((topic.name, "pipeline", dispatcher.take_requests(lane)) for lane, topic in LANES.items()),
            ),
            _relays=relays,
        )


def _texts(request: AcceptedRequest) -> list[str]:
    """Of a push or multicast the first object's; of a reply, in which several messages may ride, each object's."""
    messages = loads(request.body)["messages"]
    return [each.get("text", "") for each in (messages[:1] if request.retry_key else messages)]


def _nothing() -> None:
    """Nobody needs waking: the story pumps."""
