"""Who asks an EC-CUBE shop back: several at once, one that dies, and with which token."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.support import eccube_records as ec
from tests.support.eccube_story import Story, config, fetched, open_story, until
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.domain.notices import FIRST_LOOK, SETTLED
from todoke_ingest.handlers.fetching import LEASE, fetching_loops
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import Config
from todoke_shared.kafka.records import Outgoing
from todoke_shared.shops import Shop


@pytest.fixture
async def story(postgres_dsn: str) -> AsyncIterator[Story]:
    """A shop that has sold nothing yet."""
    async with open_story(postgres_dsn) as opened:
        yield opened


async def test_a_row_that_another_is_taking_holds_nobody_up(story: Story) -> None:
    """While one fetcher's claim is on its way, another takes the rest without waiting."""
    for number in (1, 2):
        story.shop.put("customer", ec.customer(number))
    await story.deliver(("customer", 1, "updated"), ("customer", 2, "updated"))
    story.later(SETTLED)
    async with story.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM fetches WHERE entity_id = '1' FOR UPDATE")
        assert await story.fetch() == 1
        assert story.shop.asked == ["customer/2"]
    await story.fetch_all()
    assert (story.shop.asked, await story.waiting()) == (["customer/2", "customer/1"], [])


async def test_two_fetchers_share(story: Story) -> None:
    """Twenty customers, two ingests at once: each is asked for once."""
    for number in range(20):
        story.shop.put("customer", ec.customer(number))
    await story.deliver(*(("customer", number, "updated") for number in range(20)))
    story.later(FIRST_LOOK)
    await story.fetch_all()  # they have a token now
    told, looks = len(story.told()), len(story.shop.asked)
    story.later(SETTLED)
    story.shop.gate.clear()
    rounds = [asyncio.create_task(story.fetch()) for _ in range(2)]
    await until(lambda: len(story.shop.asked) == looks + 8)
    story.shop.gate.set()
    await asyncio.gather(*rounds)
    await asyncio.gather(story.fetch_all(), story.fetch_all())
    assert sorted(story.shop.asked[looks:]) == sorted(f"customer/{number}" for number in range(20))
    assert (len(set(story.told())), told, await story.waiting()) == (20, 20, [])


async def test_a_crash_after_the_telling_repeats_it_under_the_same_id(story: Story) -> None:
    """The row comes back with its lease's end, and whoever reads the topic knows the event by its id."""
    story.shop.put("order", ec.order(7))
    await story.deliver(("order", 7, "created"))
    story.later(SETTLED)
    sound, story.intake = story.intake, Intake(Dying(story.topics), story.clock, story.intake.config, story.pool)
    with pytest.raises(MemoryError):
        await story.fetch()
    story.intake = sound
    assert (await story.fetch(), await story.waiting()) == (0, ["order/7"])
    story.later(LEASE)
    await story.fetch_all()
    assert (story.told(), await story.waiting()) == ([("order.placed", "order/7/placed")] * 2, [])


@dataclass
class Dying:
    """A publisher that publishes and dies."""

    topics: CheckedTopics

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """MemoryError once the records are durable."""
        await self.topics.publish(records)
        raise MemoryError


async def test_tokens_follow_each_other_without_anybody(story: Story) -> None:
    """An hour ends a token; its refresh token brings the next, and a denied one is replaced before its time."""
    for number in range(1, 4):
        story.shop.put("customer", ec.customer(number))
        await story.deliver(("customer", number, "updated"))
        story.later(SETTLED)
        await story.fetch_all()
        story.later(timedelta(hours=1))
    assert (story.shop.refreshes, len(story.told())) == (3, 3)
    await story.deliver(("customer", 3, "updated"))
    story.later(FIRST_LOOK)
    await story.fetch()
    story.shop.drop_tokens()
    story.later(SETTLED)
    await story.fetch()
    assert await story.waiting() == ["customer/3"]
    story.later(timedelta(minutes=1))
    await story.fetch_all()
    assert (story.shop.refreshes, await story.waiting()) == (5, [])


async def test_only_one_of_many_uses_a_refresh_token(story: Story) -> None:
    """It is good for once: within an ingest the others wait for it, another ingest comes again in a few seconds."""
    for number in range(8):
        story.shop.put("customer", ec.customer(number))
    await story.deliver(*(("customer", number, "updated") for number in range(8)))
    story.later(SETTLED)
    before = fetched("busy")
    story.shop.token_gate.clear()
    rounds = [asyncio.create_task(story.fetch()) for _ in range(2)]
    await until(lambda: fetched("busy") == before + 4)
    story.shop.token_gate.set()
    assert await asyncio.gather(*rounds) == [4, 4]
    assert (story.shop.refreshes, len(story.told()), fetched("busy")) == (1, 4, before + 4)
    story.later(timedelta(seconds=5))
    await story.fetch_all()
    assert (story.shop.refreshes, len(story.told()), await story.waiting()) == (1, 8, [])


async def test_a_newly_configured_refresh_token_is_taken(story: Story) -> None:
    """When the chain is broken, the shop is authorised again: the token in the file wins over what is remembered."""
    story.shop.put("customer", ec.customer(1))
    story.shop.authorise_again("by-hand")
    await story.deliver(("customer", 1, "updated"))
    story.later(SETTLED)
    await story.fetch()
    assert (story.told(), story.shop.refreshes) == ([], 0)
    story.intake = Intake(story.topics, story.clock, config(story.shop.url, refresh_token="by-hand"), story.pool)
    story.later(timedelta(minutes=1))
    await story.fetch_all()
    assert (len(story.told()), story.shop.refreshes, await story.waiting()) == (1, 1, [])


async def test_each_shop_that_must_be_asked_has_a_loop(story: Story) -> None:
    """A shop without such a platform has none, and the loop takes what is due by itself."""
    story.shop.put("order", ec.order(7))
    await story.deliver(("order", 7, "created"))
    story.later(SETTLED)
    loops = fetching_loops(story.intake)
    assert list(loops) == ["fetch-eccube-main"]
    await loops["fetch-eccube-main"]()
    assert story.told() == [("order.placed", "order/7/placed")]
    bare = Intake(story.topics, story.clock, Config(accounts={}, shops={"main": Shop()}))
    assert fetching_loops(bare) == {}
