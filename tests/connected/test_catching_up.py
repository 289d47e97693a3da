"""After an absence: what lay in the topic is heard before what came due meanwhile is done."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from tests.support.pipeline import CAMPAIGNS, CLUSTER, Pipeline, open_pipeline
from tests.support.shop_events import added, line_subject, ordered
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.handlers import Scheduler
from todoke_scheduler.main import create_app
from todoke_scheduler.settings import SchedulerSettings
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger, TriggerKind
from todoke_shared.kafka import catching_up
from todoke_shared.kafka.catching_up import CatchingUp
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import move_positions

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TOPIC = CUSTOMER_TRIGGERS.name
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HANA = line_subject("hana")


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The scheduler's schema."""
    pool = await open_pool(postgres_dsn, application="catching-up-test", schema="scheduler")
    yield pool
    await pool.close()


async def take_up_to(pool: Pool, partition: int, end: int, *, cluster: str = CLUSTER, topic: str = TOPIC) -> None:
    """Some scheduler has taken a partition's records before `end`."""
    async with pool.acquire() as connection, connection.transaction():
        await move_positions(connection, cluster, [Record(topic, partition, end - 1, None, None)])


async def test_it_is_done_when_every_partition_has_been_taken(pool: Pool) -> None:
    """Not one record earlier, and another topic's or cluster's positions are not ours."""
    catching = CatchingUp(pool, cluster=CLUSTER, topic=TOPIC, ends={0: 3, 1: 7, 2: 0})
    await take_up_to(pool, 0, 3)
    assert not await catching.is_done()
    await take_up_to(pool, 1, 6)
    await take_up_to(pool, 1, 7, cluster="another")
    await take_up_to(pool, 1, 7, topic="another.v1")
    assert not await catching.is_done()
    await take_up_to(pool, 1, 9)
    assert await catching.is_done()


async def test_once_done_it_stays_done_and_asks_nobody(pool: Pool) -> None:
    """Timers never stop again because of it, and a closed pool shows that it asks no more."""
    await take_up_to(pool, 0, 1)
    catching = CatchingUp(pool, cluster=CLUSTER, topic=TOPIC, ends={0: 1})
    assert await catching.is_done()
    await pool.execute("DELETE FROM consumed")
    assert await catching.is_done()
    await pool.close()
    assert await catching.is_done()


@pytest.mark.parametrize("ends", [{}, {0: 0, 1: 0}], ids=["no topic", "empty topic"])
async def test_with_nothing_to_hear_it_is_done_at_once(pool: Pool, ends: dict[int, int]) -> None:
    """A new installation's first timers are punctual."""
    assert await CatchingUp(pool, cluster=CLUSTER, topic=TOPIC, ends=ends).is_done()


async def test_a_position_that_never_comes_does_not_stop_the_timers(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database restored from a backup, say: after the longest hold it is done all the same, and says so once."""
    watch = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(catching_up, "time", SimpleNamespace(monotonic=lambda: watch.seconds))
    catching = CatchingUp(pool, cluster=CLUSTER, topic=TOPIC, ends={0: 5, 1: 2})
    assert not await catching.is_done()
    assert caplog.records == []
    watch.seconds += catching_up.LONGEST_HOLD_SECONDS + 1
    assert await catching.is_done()
    assert await catching.is_done()
    [told] = caplog.records
    assert told.levelname == "ERROR"
    assert "2 partitions of customer.triggers.v1" in told.getMessage()


class Absence:
    """The scheduler is away: its topic fills, and it reads nothing."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over = False
        read = pipeline.topics.read

        def read_unless_away(topic: str, group: str, most: int = 500) -> list[Record]:
            return read(topic, group, most) if self.over or topic != TOPIC else []

        monkeypatch.setattr(pipeline.topics, "read", read_unless_away)


async def test_a_buyer_is_not_reminded_by_a_scheduler_that_was_away(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order waits in the topic while the reminder comes due: the order is heard first, whoever's the timer is."""
    async with open_pipeline(postgres_dsn, NOON) as pipeline:
        await pipeline.follow("hana", "taro")
        await pipeline.post(*added(HANA, NOON, "抹茶"), *added(line_subject("taro"), NOON, "煎茶"))
        await pipeline.run_until(NOON + 50 * MINUTE)
        pipeline.sent.clear()
        absence = Absence(pipeline, monkeypatch)
        await pipeline.post(ordered(HANA, NOON + 50 * MINUTE, "A-1", "抹茶"))
        pipeline.clock.move_to(NOON + 70 * MINUTE)
        ends = {0: len(pipeline.topics.logs[TOPIC])}
        catching = CatchingUp(pipeline.pool, cluster=CLUSTER, topic=TOPIC, ends=ends)

        async def fire() -> int:
            return await pipeline.scheduler.fire_due() if await catching.is_done() else 0

        assert await fire() == 0
        await pipeline.settle()
        assert pipeline.sent == []
        absence.over = True
        await pipeline.settle()
        assert await fire() > 0
        await pipeline.settle()
        assert [text.split("\n")[0] for text in pipeline.sent_to("hana")] == ["ご注文ありがとうございます。"]
        assert [text.split("\n")[0] for text in pipeline.sent_to("taro")] == ["カートにお忘れものはありませんか？"]


def trigger(kind: TriggerKind, at: datetime, person: str) -> Trigger:
    """What a segmenter would have written of a cart, or of an order."""
    return Trigger.model_validate(
        {"id": uuid4(), "kind": kind, "campaign": "cart-abandonment", "person": person, "at": at}
    )


async def test_the_service_itself_hears_the_exit_before_it_fires(own_kafka: str, postgres_dsn: str, pool: Pool) -> None:
    """The scheduler as it runs, on Kafka: a timer overdue by an hour, and the exit still in the topic."""
    await publish(pool, load_campaigns(CAMPAIGNS))
    catalogue = CampaignCatalogue(pool)
    person, entered = str(uuid4()), datetime.now(UTC) - timedelta(hours=2)
    earlier = Scheduler(pool, FakeClock(entered), catalogue, cluster="before", wake=lambda: None)
    await earlier.take_triggers([Record(TOPIC, 0, 0, None, trigger("enter", entered, person).to_json())])
    publisher = KafkaPublisher(own_kafka, client_id="test")
    bought = trigger("exit", entered + 10 * MINUTE, person)
    await publisher.publish([Outgoing(TOPIC, person.encode(), bought.to_json())])
    await publisher.stop()
    app = create_app(SchedulerSettings(postgres_dsn=postgres_dsn, kafka_bootstrap_servers=own_kafka))
    async with app.router.lifespan_context(app), asyncio.timeout(30):
        while await pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= now()"):
            await asyncio.sleep(0.05)
    [run] = await pool.fetch("SELECT status, end_reason, position FROM enrolments")
    assert (run["status"], run["end_reason"]) == ("ended", "exit")
    assert await pool.fetchval("SELECT count(*) FROM decisions WHERE step IS NOT NULL") == 0
