"""EC-CUBE 4 from its webhook to the topic: what it gave notice of is fetched and told, whatever happens on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import pytest

from tests.support import eccube_shop as ec
from tests.unit.ingest.stand_ins import NOW, CheckedTopics
from todoke_ingest.answers import Answer
from todoke_ingest.domain.notices import FIRST_LOOK, GIVEN_UP, SETTLED
from todoke_ingest.handlers import fetching
from todoke_ingest.handlers.fetching import LEASE, fetch_some, fetching_loops, platforms
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.platforms import take_eccube
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.pool import open_pool
from todoke_shared.shops import EcCube, Shop
from todoke_shared.telemetry import metrics

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Story:
    """A shop, an ingest beside it, and the time, which stands still until it is moved."""

    shop: ec.EcCubeShop
    intake: Intake
    topics: CheckedTopics
    clock: FakeClock
    pool: Pool

    async def deliver(self, *notices: tuple[str, int, str]) -> Answer:
        """The shop's webhook."""
        body, signature = ec.webhook(*notices)
        headers = {"x-eccube-signature": signature}
        return await take_eccube(self.intake, DoorRequest(body, headers, {"shop": "main"}))

    async def fetch(self) -> int:
        """One round of the loop, without its pause."""
        [platform] = platforms(self.intake)
        return await fetch_some(self.intake, platform)

    async def fetch_all(self) -> None:
        """Rounds until nothing is due."""
        while await self.fetch():
            pass

    def later(self, by: timedelta) -> None:
        """Time passes."""
        self.clock.move_to(self.clock.wall() + by)

    async def waiting(self) -> list[str]:
        """What still is to be fetched, or looked at again."""
        rows = await self.pool.fetch("SELECT entity, entity_id FROM fetches ORDER BY entity, entity_id::int")
        return [f"{row['entity']}/{row['entity_id']}" for row in rows]

    def told(self) -> list[tuple[str, str]]:
        """Type and id of each event in the topic, in order."""
        values = [json.loads(record.value or b"") for record in self.topics.records if record.topic == EC_EVENTS.name]
        return [(str(value["type"]), str(value["id"])) for value in values]


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Ingest's schema."""
    pool = await open_pool(postgres_dsn, application="eccube-test", schema="ingest")
    yield pool
    await pool.close()


@pytest.fixture
async def story(pool: Pool) -> AsyncIterator[Story]:
    """A shop that has sold nothing yet."""
    clock = FakeClock(NOW)
    async with ec.eccube_shop(clock) as shop:
        topics = CheckedTopics()
        yield Story(shop, Intake(topics, clock, config(shop.url), pool), topics, clock, pool)


def config(url: str, *, refresh_token: str = ec.FIRST_REFRESH_TOKEN) -> Config:
    """One shop on EC-CUBE."""
    eccube = EcCube(
        webhook_secrets=(ec.WEBHOOK_SECRET,),
        url=url,
        client_id=ec.CLIENT_ID,
        client_secret=ec.CLIENT_SECRET,
        refresh_token=refresh_token,
    )
    return Config(accounts={}, shops={"main": Shop(eccube=eccube), "other": Shop()})


def fetched(outcome: str) -> float:
    """How often a fetch came to this."""
    return float(metrics.FETCHES.labels("eccube", "main", outcome)._value.get())


async def test_an_order_is_told_within_seconds_and_then_left_alone(story: Story) -> None:
    """Stored before the 200, fetched two seconds later, looked at once more when settled; each step told once."""
    story.shop.put("order", ec.order(7, 6))
    assert (await story.deliver(("order", 7, "created"))).status == 200
    assert (await story.fetch(), await story.waiting()) == (0, ["order/7"])
    story.later(FIRST_LOOK)
    await story.fetch_all()
    told = [("order.placed", "order/7/placed"), ("order.paid", "order/7/paid")]
    assert (story.told(), await story.waiting()) == (told, ["order/7"])
    story.later(SETTLED)
    await story.fetch_all()
    assert (story.told(), await story.waiting()) == (told, [])
    assert story.topics.records[0].key == b"customer:7"


async def test_what_the_shop_commits_after_its_webhook_is_seen(story: Story) -> None:
    """EC-CUBE gives notice inside its transaction: the first look finds nothing, or the state before."""
    story.shop.put("customer", ec.customer(7))
    await story.deliver(("order", 7, "created"), ("customer", 7, "updated"), ("customer", 8, "deleted"))
    story.later(FIRST_LOOK)
    await story.fetch_all()
    [before] = story.told()
    assert before[0] == "customer.updated"
    story.shop.put("order", ec.order(7))
    story.shop.put("customer", ec.customer(7, point=0.0))
    story.later(SETTLED)
    await story.fetch_all()
    assert sorted(type_ for type_, _ in story.told()[1:]) == ["customer.deleted", "customer.updated", "order.placed"]
    assert len(set(story.told())) == 4
    assert await story.waiting() == []


@pytest.mark.parametrize("fault", ["slow", "denied", "failed", "garbage", "errors", "redirect"])
async def test_a_shop_that_does_not_answer_is_asked_again(
    story: Story, fault: ec.Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told, nothing lost, and no token goes astray; once the shop is well, the order is told once."""
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 0.3)
    outcome = {"errors": "failed", "redirect": "failed"}.get(fault, fault)
    before = fetched(outcome)
    story.shop.put("order", ec.order(7))
    story.shop.fault = fault
    await story.deliver(("order", 7, "created"))
    story.later(FIRST_LOOK)
    await story.fetch()
    assert (story.told(), await story.waiting(), fetched(outcome)) == ([], ["order/7"], before + 1)
    assert await story.fetch() == 0  # not at once: the shop has enough to do
    assert story.shop.strayed == 0
    story.shop.fault = ""
    story.later(SETTLED)
    await story.fetch_all()
    assert (story.told(), await story.waiting()) == ([("order.placed", "order/7/placed")], [])


async def test_a_shop_that_is_away_for_days_loses_nothing(story: Story) -> None:
    """Nobody listens at its address; tries grow apart; six days later the order is told, and it is not history."""
    story.shop.put("order", ec.order(7))
    gone = Intake(story.topics, story.clock, config("http://127.0.0.1:1/"), story.pool)
    here, story.intake = story.intake, gone
    await story.deliver(("order", 7, "created"))
    soon = 0
    for _ in range(120):
        story.later(timedelta(seconds=1))
        soon += await story.fetch()
    assert 4 <= soon <= 8
    tries = 0
    for _ in range(6 * 24):
        story.later(timedelta(hours=1))
        tries += await story.fetch()
    assert (tries, await story.waiting()) == (6 * 24, ["order/7"])
    story.intake = here
    story.later(timedelta(hours=1))
    await story.fetch_all()
    assert (story.told(), await story.waiting()) == ([("order.placed", "order/7/placed")], [])


async def test_a_shop_that_never_comes_back_leaves_dead_letters(story: Story) -> None:
    """After a week the ids are in the dead-letter topic with the reason, and are asked for no more."""
    story.shop.fault = "failed"
    await story.deliver(("customer", 7, "updated"))
    story.later(GIVEN_UP)
    await story.fetch_all()
    [letter] = story.topics.records
    assert (letter.topic, await story.waiting()) == (EC_EVENTS.dead_letters, [])
    assert json.loads(letter.value or b"") == {"entity": "customer", "id": "7", "action": "updated"}
    assert "week" in letter.headers["todoke-reason"]


async def test_an_answer_that_nobody_can_read_is_a_dead_letter_without_the_person(story: Story) -> None:
    """Ids and the field at fault, never what the shop answered; the next customer is told."""
    story.shop.put("customer", ec.customer(7, update_date=None))
    story.shop.put("customer", ec.customer(8))
    await story.deliver(("customer", 7, "updated"), ("customer", 8, "updated"))
    story.later(SETTLED)
    await story.fetch_all()
    [letter] = [record for record in story.topics.records if record.topic == EC_EVENTS.dead_letters]
    assert letter.headers["todoke-field"] == "update_date"
    assert b"example.jp" not in (letter.value or b"")
    assert ([type_ for type_, _ in story.told()], await story.waiting()) == (["customer.updated"], [])


async def test_what_kafka_did_not_take_is_fetched_again(story: Story) -> None:
    """A notice is done with when its events are durable, and not before."""
    story.shop.put("order", ec.order(7))
    await story.deliver(("order", 7, "created"))
    story.later(SETTLED)
    story.topics.away = True
    await story.fetch()
    assert await story.waiting() == ["order/7"]
    story.topics.away = False
    story.later(timedelta(minutes=1))
    await story.fetch_all()
    assert (story.told(), await story.waiting()) == ([("order.placed", "order/7/placed")], [])


async def test_a_notice_that_arrives_during_a_fetch_is_not_lost(story: Story) -> None:
    """What the fetch had already read is told; the row stays, and the newer state is told as well."""
    story.shop.put("order", ec.order(7))
    await story.deliver(("order", 7, "created"))
    story.later(SETTLED)
    story.shop.gate.clear()
    fetching_now = asyncio.create_task(story.fetch())
    await until(lambda: story.shop.asked == ["order/7"])
    story.shop.put("order", ec.order(7, 6))
    await story.deliver(("order", 7, "updated"))
    assert await story.fetch() == 0  # nobody else asks while one does
    story.shop.gate.set()
    assert await fetching_now == 1
    assert (story.told(), await story.waiting()) == ([("order.placed", "order/7/placed")], ["order/7"])
    story.later(SETTLED)
    await story.fetch_all()
    assert (story.told()[1:], await story.waiting()) == ([("order.paid", "order/7/paid")], [])


async def test_a_notice_during_the_first_look_is_not_put_off(story: Story) -> None:
    """The second look of the older notice is in a quarter of a minute; the newer one is due before."""
    story.shop.put("order", ec.order(7))
    await story.deliver(("order", 7, "created"))
    story.later(FIRST_LOOK)
    story.shop.gate.clear()
    fetching_now = asyncio.create_task(story.fetch())
    await until(lambda: story.shop.asked == ["order/7"])
    story.shop.put("order", ec.order(7, 6))
    await story.deliver(("order", 7, "updated"))
    story.shop.gate.set()
    await fetching_now
    assert await story.fetch() == 1
    assert story.told() == [("order.placed", "order/7/placed"), ("order.paid", "order/7/paid")]


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


async def test_a_step_told_long_ago_is_not_told_again(story: Story) -> None:
    """An order that is edited after inboxes have forgotten it was placed and cancelled once."""
    story.shop.put("order", ec.order(7, 3))
    await story.deliver(("order", 7, "created"))
    story.later(SETTLED)
    await story.fetch_all()
    assert [type_ for type_, _ in story.told()] == ["order.placed", "order.cancelled"]
    story.later(timedelta(days=60))
    story.shop.put("order", ec.order(7, 3, update_date=story.clock.wall().isoformat()))
    await story.deliver(("order", 7, "updated"))
    story.later(SETTLED)
    await story.fetch_all()
    assert len(story.told()) == 2


async def test_nothing_is_acknowledged_that_is_not_stored(story: Story) -> None:
    """PostgreSQL away is 503, at once: the shop's customer waits for the page as long as we take."""
    await story.pool.close()
    assert (await story.deliver(("order", 7, "created"))).status == 503


async def test_a_delivery_of_thousands_is_stored_at_once(story: Story) -> None:
    """A product import gives notice of them all in one webhook, some twice."""
    numbers = [*range(3000), *range(10)]
    assert (await story.deliver(*(("product", number, "updated") for number in numbers))).status == 200
    assert len(await story.waiting()) == 3000


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


async def until(is_so: Callable[[], bool]) -> None:
    """Return once it is."""
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)
