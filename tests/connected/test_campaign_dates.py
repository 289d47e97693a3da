"""The segments of campaigns entered by a date: kept with the campaigns, asked of everybody, seen by nobody."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from prometheus_client import REGISTRY

from tests.support.shop_events import event
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.dates import keep_dates
from todoke_segmenter.adapters.publishing import publish
from todoke_segmenter.adapters.segments import SegmentCatalogue, current_segments
from todoke_segmenter.by_clock import ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TOKYO = ZoneInfo("Asia/Tokyo")
NOON = datetime(2026, 4, 1, 12, 0, tzinfo=TOKYO)
VERSIONS = "SELECT version, withdrawn, document->>'at' AS at FROM segment_versions WHERE segment = $1 ORDER BY version"
BUYERS = Segment(segment="buyers", when={"orders": {"at_least": 1}})


def campaign(at: str | None = "10:00", name: str = "birthday") -> Campaign:
    """Entered by the birthday at this time; None: by an event."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": {"on": "line.follow"} if at is None else {"date": "birthday", "at": at},
            "steps": [{"send": "text"}],
            "messages": {"text": [{"type": "text", "text": "おめでとうございます"}]},
        }
    )


class Room:
    """The segmenter's tables, the scheduler's, and segmenters on them."""

    def __init__(self, pool: Pool, scheduler: Pool) -> None:
        self.pool = pool
        self._scheduler = scheduler

    async def publish(self, *campaigns: Campaign) -> None:
        """Put campaigns in force."""
        await publish_campaigns(self._scheduler, campaigns)

    async def versions(self, name: str = "birthday") -> list[tuple[int, bool, str]]:
        """Of a campaign's segment: version, whether it is withdrawn, the time of day."""
        return [tuple(row.values()) for row in await self.pool.fetch(VERSIONS, f"campaign:{name}")]

    async def triggers(self) -> list[Trigger]:
        """What waits in the outbox, in order."""
        rows = await self.pool.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", CUSTOMER_TRIGGERS.name)
        return [Trigger.from_json(row["value"]) for row in rows]


class Machine:
    """A segmenter that has just started."""

    def __init__(self, room: Room) -> None:
        self.clock = FakeClock(NOON)
        self.segments = SegmentCatalogue(room.pool)
        self.segmenter = Segmenter(
            room.pool,
            CampaignCatalogue(room.pool),
            self.clock,
            cluster="test",
            wake=lambda: None,
            segments=self.segments,
        )
        self.by_clock = ByClock(room.pool, self.segmenter.rulebook, self.clock, wake=lambda: None)
        self._offset = 0

    async def learn(self) -> None:
        """As it does every second."""
        await self.segmenter.rulebook.learn()

    async def hear(self, *events: dict[str, Any]) -> None:
        """A batch."""
        records = [Record(EC_EVENTS.name, 0, self._offset + n, None, dumps(one)) for n, one in enumerate(events)]
        self._offset += len(events)
        await self.segmenter.take_ec_events(records)

    async def wait_until(self, instant: datetime) -> None:
        """The clock comes there."""
        while await self.by_clock.sweep():
            pass
        self.clock.move_to(instant)
        while await self.by_clock.check_due():
            pass


@pytest.fixture
async def room(postgres_dsn: str) -> AsyncIterator[Room]:
    """With a segment of the shop's."""
    async with (
        await open_pool(postgres_dsn, application="test", schema="segmenter") as pool,
        await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler,
    ):
        await publish(pool, [BUYERS])
        yield Room(pool, scheduler)


async def test_a_campaigns_segment_follows_its_versions(room: Room) -> None:
    """A new version where the date's rule is another, none where it is the same; withdrawn when it asks for no date."""
    machine = Machine(room)
    for at, expected in (
        ("10:00", [(1, False, "10:00:00")]),
        ("10:00", [(1, False, "10:00:00")]),
        ("12:00", [(1, False, "10:00:00"), (2, False, "12:00:00")]),
        (None, [(1, False, "10:00:00"), (2, False, "12:00:00"), (3, True, "12:00:00")]),
        ("12:00", [(1, False, "10:00:00"), (2, False, "12:00:00"), (3, True, "12:00:00"), (4, False, "12:00:00")]),
    ):
        await room.publish(campaign(at))
        await machine.learn()
        await machine.learn()
        assert await room.versions() == expected
    revisions = [row["revision"] for row in await room.pool.fetch("SELECT revision FROM segment_versions ORDER BY 1")]
    assert revisions == list(range(1, 6))
    assert machine.segments.rules.revision == 5


async def test_a_segmenter_that_is_behind_takes_nothing_back(room: Room) -> None:
    """What is wanted is read under the lock, not from what a machine has heard of."""
    behind = Machine(room)
    await behind.learn()
    await room.publish(campaign())
    await Machine(room).learn()
    await behind.segments.refresh()
    await behind.segments.keep_dates([])
    assert await room.versions() == [(1, False, "10:00:00")]


async def test_what_only_a_newer_release_can_read_stays_in_force(room: Room) -> None:
    """During a rolling deploy an older segmenter passes it over."""
    await room.publish(campaign(), campaign(name="other"))
    await keep_dates(room.pool)
    newer = """UPDATE scheduler.campaign_versions SET document = document || '{"newer": 1}' WHERE campaign = 'other'"""
    await room.pool.execute(newer)
    await keep_dates(room.pool)
    assert await room.versions("other") == [(1, False, "10:00:00")]


async def test_publishing_asks_everybody_who_is_there(room: Room) -> None:
    """Whose birthday was known before enters when its time comes; publishing itself brings in nobody."""
    machine = Machine(room)
    await machine.learn()
    await machine.hear(
        event("customer.updated", "customer:1", NOON, {"birthday": "1990-04-01"}),
        event("customer.updated", "customer:2", NOON, {"birthday": "1990-04-02"}),
    )
    await room.publish(campaign())
    await machine.learn()
    await machine.wait_until(NOON + timedelta(days=2))
    assert [(one.kind, one.at, one.key) for one in await room.triggers()] == [
        ("enter", datetime(2026, 4, 2, 10, 0, tzinfo=TOKYO), "2026-04-02")
    ]


async def test_withdrawing_ends_nothing_and_brings_in_nobody(room: Room) -> None:
    """The campaign is entered otherwise now."""
    machine = Machine(room)
    await room.publish(campaign())
    await machine.learn()
    await machine.hear(event("customer.updated", "customer:1", NOON, {"birthday": "1990-04-02"}))
    await room.publish(campaign(None))
    await machine.learn()
    await machine.wait_until(NOON + timedelta(days=800))
    assert await room.triggers() == []


async def test_it_is_in_no_list_and_no_metric(room: Room) -> None:
    """What operators see are the shop's own segments."""
    machine = Machine(room)
    await room.publish(campaign())
    await machine.learn()
    await machine.hear(event("customer.updated", "customer:1", NOON, {"birthday": "1990-04-02"}))
    await machine.wait_until(NOON + timedelta(days=2))
    assert len(await room.triggers()) == 1
    assert [one.segment.segment for one in await current_segments(room.pool)] == ["buyers"]
    assert [row["segment"] for row in await room.pool.fetch("SELECT segment FROM current_segments")] == ["buyers"]
    names = {sample.labels.get("segment", "") for metric in REGISTRY.collect() for sample in metric.samples}
    assert not [name for name in names if name.startswith("campaign")]


async def test_a_start_of_a_campaign_just_published_is_not_lost(room: Room) -> None:
    """The segmenter has not heard of it yet, and looks."""
    machine = Machine(room)
    await machine.learn()
    called = campaign(None, "called").to_document() | {"enter": {"on": ["call"], "per": "event", "again": "always"}}
    await room.publish(Campaign.model_validate(called))
    asked = event("campaign.start_requested", "customer:1", NOON, {"campaign": "called"})
    await machine.hear(asked)
    [entry] = await room.triggers()
    assert entry.cause is not None
    assert (entry.campaign, entry.kind, entry.key) == ("called", "enter", str(entry.cause.key))
