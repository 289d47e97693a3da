"""EC-CUBE 4 from its webhook to the topic: what it gave notice of is fetched and told, whatever happens on the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support import eccube_records as ec
from tests.support.eccube_shop import Fault
from tests.support.eccube_story import Story, config, fetched, open_story, until
from todoke_ingest.domain.notices import FIRST_LOOK, GIVEN_UP, SETTLED
from todoke_ingest.handlers import fetching
from todoke_ingest.handlers.intake import Intake
from todoke_shared.contracts.topics import EC_EVENTS


@pytest.fixture
async def story(postgres_dsn: str) -> AsyncIterator[Story]:
    """A shop that has sold nothing yet."""
    async with open_story(postgres_dsn) as opened:
        yield opened


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
    story: Story, fault: Fault, monkeypatch: pytest.MonkeyPatch
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
