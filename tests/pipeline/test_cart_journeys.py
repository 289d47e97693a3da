"""F3, F2 and F9 as stories: events in, LINE messages out, all four services, a clock that moves when told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import added, event, line_subject, ordered

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """A pipeline with the shipped campaigns, and Hana as a friend (welcomed already)."""
    async with open_pipeline(postgres_dsn, NOON) as opened:
        await opened.follow("hana")
        opened.sent.clear()
        yield opened


HANA = line_subject("hana")


async def test_a_new_friend_is_welcomed_once(postgres_dsn: str) -> None:
    """Following, unfollowing and following again brings one welcome."""
    async with open_pipeline(postgres_dsn, NOON) as pipeline:
        await pipeline.follow("hana")
        assert [text.split("\n")[0] for text in pipeline.sent_to("hana")] == ["友だち追加ありがとうございます！"]
        await pipeline.run_until(NOON + HOUR)
        await pipeline.follow("hana", kind="unfollow")
        await pipeline.run_until(NOON + 2 * HOUR)
        await pipeline.follow("hana")
        assert len(pipeline.sent_to("hana")) == 1


async def test_an_order_is_confirmed_at_once_and_once(pipeline: Pipeline) -> None:
    """The same order told three times is one confirmation, with what was bought."""
    order = ordered(HANA, NOON, "A-1", "抹茶", "茶筅")
    await pipeline.post(order, order)
    await pipeline.post(order)
    [message] = pipeline.sent
    assert message.at == NOON
    assert "・抹茶\n・茶筅" in message.text
    assert "A-1" in message.text


async def test_a_forgotten_cart_is_remembered_after_one_hour_and_again_a_day_later(pipeline: Pipeline) -> None:
    """Both reminders name what lies in the cart, at the exact times, and there is no third."""
    await pipeline.post(*added(HANA, NOON, "抹茶", "煎茶"))
    await pipeline.run_until(NOON + 30 * DAY)
    assert [message.at for message in pipeline.sent] == [NOON + HOUR, NOON + HOUR + DAY]
    assert all("・抹茶\n・煎茶\n" in message.text for message in pipeline.sent)


async def test_every_change_of_the_cart_starts_the_hour_anew(pipeline: Pipeline) -> None:
    """59 minutes later another product: the reminder comes an hour after that, with both."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    await pipeline.run_until(NOON + timedelta(minutes=59))
    await pipeline.post(*added(HANA, NOON + timedelta(minutes=59), "煎茶"))
    await pipeline.run_until(NOON + timedelta(minutes=118))
    assert pipeline.sent == []
    await pipeline.run_until(NOON + timedelta(minutes=119))
    [message] = pipeline.sent
    assert "・抹茶\n・煎茶\n" in message.text


@pytest.mark.parametrize("minutes", [1, 30, 60])
async def test_a_buyer_is_not_reminded(pipeline: Pipeline, minutes: int) -> None:
    """An order within the hour, or in its very last second, ends the journey."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    at = NOON + timedelta(minutes=minutes)
    await pipeline.run_until(at - timedelta(seconds=1))
    pipeline.clock.move_to(at)
    await pipeline.post(ordered(HANA, at, "A-1", "抹茶"))
    await pipeline.run_until(NOON + 3 * DAY)
    assert [message for message in pipeline.sent if "カート" in message.text] == []


async def test_an_order_between_the_reminders_stops_the_second(pipeline: Pipeline) -> None:
    """One reminder, one confirmation, and then quiet."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    await pipeline.run_until(NOON + 2 * HOUR)
    await pipeline.post(ordered(HANA, NOON + 2 * HOUR, "A-1", "抹茶"))
    await pipeline.run_until(NOON + 3 * DAY)
    assert [message.text.split("\n")[0] for message in pipeline.sent] == [
        "カートにお忘れものはありませんか？",
        "ご注文ありがとうございます。",
    ]


async def test_an_order_learnt_late_still_stops_what_is_not_yet_due(pipeline: Pipeline) -> None:
    """The order happened before the cart's last change but arrives after it: only the change counts from then on."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    await pipeline.run_until(NOON + timedelta(minutes=20))
    await pipeline.post(*added(HANA, NOON + timedelta(minutes=20), "煎茶"))
    await pipeline.post(ordered(HANA, NOON + timedelta(minutes=10), "A-1", "抹茶"))
    await pipeline.run_until(NOON + timedelta(minutes=80))
    [reminder] = [message for message in pipeline.sent if "カート" in message.text]
    assert reminder.at == NOON + timedelta(minutes=80)
    assert "煎茶" in reminder.text
    assert "抹茶" not in reminder.text


async def test_an_order_learnt_late_that_empties_the_cart_ends_the_journey(pipeline: Pipeline) -> None:
    """The cart's last change, heard before it, took out something else: what was left in it has been bought."""
    pipeline.clock.move_to(NOON + timedelta(minutes=20))
    await pipeline.post(*added(HANA, NOON, "抹茶", "煎茶"))
    await pipeline.post(event("cart.item_removed", HANA, NOON + timedelta(minutes=10), {"product_id": "煎茶"}))
    await pipeline.post(ordered(HANA, NOON + timedelta(minutes=5), "A-1", "抹茶"))
    await pipeline.run_until(NOON + 3 * DAY)
    assert ["カート" in message.text for message in pipeline.sent] == [False]


async def test_a_cart_that_was_not_empty_after_all_is_remembered(pipeline: Pipeline) -> None:
    """What was put in before the last change, and is heard after it, lies there: an hour after that change."""
    pipeline.clock.move_to(NOON + timedelta(minutes=20))
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    await pipeline.post(event("cart.item_removed", HANA, NOON + timedelta(minutes=10), {"product_id": "抹茶"}))
    await pipeline.post(*added(HANA, NOON + timedelta(minutes=5), "煎茶"))
    await pipeline.run_until(NOON + timedelta(minutes=71))
    [reminder] = pipeline.sent
    assert reminder.at.replace(microsecond=0) == NOON + timedelta(minutes=70)
    assert "・煎茶\n" in reminder.text


async def test_an_emptied_cart_is_not_remembered(pipeline: Pipeline) -> None:
    """A snapshot without items, or the last item taken out, ends the journey."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    pipeline.clock.move_to(NOON + timedelta(minutes=10))
    await pipeline.post(event("cart.item_removed", HANA, pipeline.clock.now(), {"product_id": "抹茶"}))
    await pipeline.run_until(NOON + 3 * DAY)
    await pipeline.post(*added(HANA, pipeline.clock.now(), "煎茶"))
    pipeline.clock.move_to(pipeline.clock.now() + timedelta(minutes=10))
    await pipeline.post(event("cart.updated", HANA, pipeline.clock.now(), {"items": []}))
    await pipeline.run_until(NOON + 6 * DAY)
    assert pipeline.sent == []


async def test_somebody_who_has_left_is_sent_nothing(pipeline: Pipeline) -> None:
    """An unfollow between the cart and its reminder: nothing is sent, and the log says why."""
    await pipeline.post(*added(HANA, NOON, "抹茶"))
    await pipeline.run_until(NOON + timedelta(minutes=30))
    await pipeline.follow("hana", kind="unfollow")
    await pipeline.run_until(NOON + 3 * DAY)
    assert pipeline.sent == []
    reasons = await pipeline.pool.fetch("SELECT step, decision FROM scheduler.decisions ORDER BY at")
    assert [tuple(row) for row in reasons] == [
        ("steps[1]", "not a friend of the account main"),
        ("steps[3]", "not a friend of the account main"),
    ]


async def test_a_customer_of_the_shop_is_reached_once_linked(pipeline: Pipeline) -> None:
    """A cart filled before the LINE account was linked is remembered on LINE after it."""
    await pipeline.post(*added("customer:7", NOON, "抹茶"))
    pipeline.clock.move_to(NOON + timedelta(minutes=10))
    link = event("customer.identified", "customer:7", pipeline.clock.now(), {"identifiers": [HANA]})
    await pipeline.post(link)
    await pipeline.run_until(NOON + HOUR)
    [message] = pipeline.sent
    assert message.at == NOON + HOUR
    assert "抹茶" in message.text


async def test_one_person_in_the_shop_and_on_line_is_welcomed_once(pipeline: Pipeline) -> None:
    """Linking two halves does not welcome again, whichever half's id remains."""
    for number in range(4):
        name = f"friend-{number}"
        await pipeline.follow(name)
        at = pipeline.clock.now()
        link = {"identifiers": [line_subject(name)]}
        await pipeline.post(event("customer.identified", f"customer:{number}", at, link))
        pipeline.clock.move_to(at + HOUR)
        await pipeline.follow(name, kind="unfollow")
        pipeline.clock.move_to(at + 2 * HOUR)
        await pipeline.follow(name)
        assert len(pipeline.sent_to(name)) == 1


async def test_an_order_of_which_little_is_known_is_confirmed_too(pipeline: Pipeline) -> None:
    """Neither items nor amount: both may be absent."""
    await pipeline.post(event("order.placed", HANA, NOON, {"order_id": "A-9"}))
    [message] = pipeline.sent
    assert message.text == "ご注文ありがとうございます。\nご注文番号 A-9"
