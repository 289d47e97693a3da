"""A hostile, careless or unlucky shop: nobody gets more by it, or less, or what is somebody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from tests.support.locks import until_waiting
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_scheduler.adapters import journeys
from todoke_scheduler.adapters.timers import FARTHEST
from todoke_scheduler.domain import words
from todoke_scheduler.looking import UNREADABLE_REST
from todoke_shared.campaigns.limits import Cap
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.json_values import MAX_DEPTH
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import person_id
from todoke_shared.kafka.records import Record
from todoke_shared.shops import Shop

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
"""In Tokyo."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HANA, TARO = line_subject("hana"), line_subject("taro")
MARKETING = {"class": "marketing", "quiet_hours": "none"}


def campaign(name: str, *steps: dict[str, Any], text: str | None = None, **keys: Any) -> Campaign:
    """Begins with a product in the cart; its one message is its name, unless `text` says otherwise."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": {"on": "cart.item_added", "again": "always"},
            "steps": [*steps, {"send": "text"}],
            "messages": {"text": [{"type": "text", "text": text or name}]},
            **keys,
        }
    )


@asynccontextmanager
async def shop(dsn: str, *campaigns: Campaign, caps: tuple[Cap, ...] = ()) -> AsyncIterator[Pipeline]:
    """Hana and Taro are friends. `caps`: the shop's."""
    shops = {"main": Shop(caps=caps)}
    async with open_pipeline(dsn, NOON, campaigns=campaigns, shops=shops) as opened:
        await opened.follow("hana", "taro")
        yield opened


def sent(pipeline: Pipeline, name: str) -> list[timedelta]:
    """When a campaign's message went out, since noon."""
    return [message.at - NOON for message in pipeline.sent if message.text == name]


async def test_an_entry_of_an_instant_that_had_one_does_not_begin_again_what_is_over(postgres_dsn: str) -> None:
    """Shops tell time in whole seconds: another product of the same second, heard of when a goal has ended the run."""
    reminder = campaign("reminder", {"wait": "1h"}, goal={"on": "order.placed"})
    async with shop(postgres_dsn, reminder) as pipeline:
        await pipeline.post(*added(HANA, NOON, "tea"))
        await pipeline.run_until(NOON + 10 * MINUTE)
        await pipeline.post(ordered(HANA, NOON + 10 * MINUTE, "A-1", "tea"))
        await pipeline.run_until(NOON + 20 * MINUTE)
        await pipeline.post(*added(HANA, NOON, "cup"))
        await pipeline.run_until(NOON + 3 * HOUR)
        assert sent(pipeline, "reminder") == []
        assert [row["status"] for row in await pipeline.pool.fetch("SELECT status FROM enrolments")] == ["ended"]


async def test_whoever_cannot_be_read_holds_up_nobody(postgres_dsn: str) -> None:
    """A newer segmenter wrote Hana's state: Taro's timers fire in time, triggers are taken, and hers wait for her."""
    asking = campaign("asking", {"wait": "1h"}, {"if": {"orders": 0}, "then": [{"tag": "undecided"}]})
    at_once = campaign("at-once", text="tags: {{ person.tags|length }}", enter={"on": "call", "again": "always"})
    async with shop(postgres_dsn, asking, at_once) as pipeline:
        await pipeline.post(*added(HANA, NOON, "tea"), *added(TARO, NOON, "tea"))
        hana = await person_of(pipeline, HANA)
        state = await pipeline.pool.fetchval("SELECT state FROM segmenter.people WHERE person_id = $1", hana)
        await store_state(pipeline, hana, '{"tags": 5}')
        entries = [enters("at-once", person, NOON) for person in (hana, await person_of(pipeline, TARO))]
        await take(pipeline, *entries)
        await pipeline.run_until(NOON + HOUR)
        assert (sent(pipeline, "tags: 0"), sent(pipeline, "asking")) == ([timedelta()], [HOUR])
        await pipeline.run_until(NOON + HOUR + 3 * MINUTE)
        assert await pipeline.pool.fetchval("SELECT count(*) FROM timers") == 2
        await store_state(pipeline, hana, state)
        await pipeline.run_until(NOON + 3 * HOUR)
        assert sent(pipeline, "asking") == [HOUR, HOUR + 3 * MINUTE + UNREADABLE_REST]
        assert len(sent(pipeline, "tags: 1")) == 1


async def person_of(pipeline: Pipeline, subject: str) -> UUID:
    """Who has this name."""
    query = "SELECT person_id FROM segmenter.identities WHERE identifier = $1"
    person: UUID = await pipeline.pool.fetchval(query, subject)
    return person


async def store_state(pipeline: Pipeline, person: UUID, state: str) -> None:
    """Behind everybody's back."""
    await pipeline.pool.execute("UPDATE segmenter.people SET state = $2 WHERE person_id = $1", person, state)


def enters(campaign: str, person: UUID, at: datetime, **fields: Any) -> Trigger:
    """An entry, as another system writes it."""
    return Trigger(id=uuid4(), kind="enter", campaign=campaign, person=person, at=at, **fields)


async def take(pipeline: Pipeline, *triggers: Trigger) -> None:
    """A batch of their own partition, and what comes of it."""
    records = [Record(CUSTOMER_TRIGGERS.name, 7, place, None, one.to_json()) for place, one in enumerate(triggers)]
    await pipeline.scheduler.take_triggers(records)
    await pipeline.settle()


async def test_caps_count_what_somebody_was_sent_under_an_older_id(postgres_dsn: str) -> None:
    """One message a day: two people, one of whom is a friend and had hers, turn out to be one."""
    first, second = campaign("first", **MARKETING), campaign("second", {"wait": "2h"}, **MARKETING)
    async with shop(postgres_dsn, first, second, caps=(Cap(messages=1, within=DAY),)) as pipeline:
        await pipeline.post(*added(HANA, NOON, "tea"))
        assert sent(pipeline, "first") == [timedelta()]
        before = await person_of(pipeline, HANA)
        smaller = next(name for name in map("customer:{}".format, count()) if person_id("main", name) < before)
        await pipeline.post(event("page.viewed", smaller, NOON, {}))
        await pipeline.run_until(NOON + HOUR)
        await pipeline.post(event("customer.identified", smaller, NOON + HOUR, {"identifiers": [HANA]}))
        assert await person_of(pipeline, HANA) != before
        await pipeline.run_until(NOON + 3 * HOUR)
        assert sent(pipeline, "second") == []
        told = await pipeline.pool.fetchval("SELECT decision FROM decisions WHERE campaign = 'second'")
        assert told == "the shop sends one person at most 1 message within 1d"


async def test_two_who_turn_out_to_be_one_while_both_enter_are_let_in_once(postgres_dsn: str) -> None:
    """Each entry under its own id and in its own partition: whoever comes second sees what the first has done."""
    once = campaign("once", enter={"on": "call", "again": "never"})
    async with shop(postgres_dsn, once) as pipeline:
        hana = await person_of(pipeline, HANA)
        lost = next(id_ for number in count() if (id_ := person_id("main", f"customer:{number}")) > hana)
        await pipeline.pool.execute(
            "INSERT INTO segmenter.people (person_id, shop, state, facts) VALUES ($1, 'main', '{}', '{}')", lost
        )
        async with pipeline.pool.acquire() as connection, connection.transaction():
            # Another scheduler decides about the one who is lost, and is slow.
            await journeys.take_turns(connection, [lost])
            late = asyncio.create_task(take(pipeline, enters("once", lost, NOON)))
            await until_waiting(pipeline.pool)
            await pipeline.pool.execute("UPDATE segmenter.people SET merged_into = $1 WHERE person_id = $2", hana, lost)
            await connection.execute(
                "INSERT INTO journeys (campaign, person_id, key, entered_at) VALUES ('once', $1, '', $2)", hana, NOON
            )
        await late
        assert sent(pipeline, "once") == []
        assert await pipeline.pool.fetchval("SELECT decision FROM decisions") == words.ENTERED_BEFORE


async def test_dates_far_away_make_no_tables(postgres_dsn: str) -> None:
    """Each of 50 visitors tells a day of their own in the next thousands of years; who told next year's is served."""
    dated = campaign("dated", {"wait": {"date": "event.day", "at": "10:00"}}, enter={"on": "call", "again": "always"})
    async with shop(postgres_dsn, dated) as pipeline:
        days = [f"{2028 + 100 * number}-05-05" for number in range(50)]
        told = [enters("dated", uuid4(), NOON, context={"event": {"day": day}}) for day in days]
        hana = enters("dated", await person_of(pipeline, HANA), NOON, context={"event": {"day": "2028-02-29"}})
        await take(pipeline, *told, hana)
        tables = await pipeline.pool.fetch("SELECT day FROM timer_days ORDER BY day")
        assert [row["day"] for row in tables] == [(NOON + FARTHEST).date()]
        await pipeline.run_until(datetime(2028, 3, 1, tzinfo=UTC))
        assert [message.at for message in pipeline.sent] == [datetime(2028, 2, 29, 1, tzinfo=UTC)]
        assert await pipeline.pool.fetchval("SELECT count(*) FROM timers") == 50


async def test_an_event_of_as_many_levels_as_a_door_takes_reaches_the_person(postgres_dsn: str) -> None:
    """What carries it further has levels of its own: neither the trigger nor the request is refused for them."""
    async with shop(postgres_dsn, campaign("deep", text="{{ event.item.name }}")) as pipeline:
        deep: Any = "leaf"
        for _ in range(MAX_DEPTH - 3):
            deep = [deep]
        item = {"product_id": "tea", "name": "tea"}
        answer = await pipeline.post(
            event("cart.item_added", HANA, NOON, {"item": item, "deep": deep}, event_id="deep")
        )
        assert answer.status == 202
        assert pipeline.sent_to("hana") == ["tea"]
        refused = await pipeline.post(event("cart.item_added", HANA, NOON, {"deep": [deep]}, event_id="too deep"))
        assert refused.status == 400


async def test_a_call_that_the_campaign_is_against_is_in_the_decision_log(postgres_dsn: str) -> None:
    """Whoever called asks why nothing came."""
    rich = campaign("rich", enter={"on": "call", "when": {"event.amount": {"at_least": 3000}}})
    async with shop(postgres_dsn, rich) as pipeline:
        asked = {"campaign": "rich", "context": {"amount": 2999}}
        await pipeline.post(event("campaign.start_requested", HANA, NOON, asked))
        assert pipeline.sent == []
        [told] = await pipeline.pool.fetch("SELECT person_id, campaign, decision FROM decisions")
        assert tuple(told) == (await person_of(pipeline, HANA), "rich", words.CALLED_IN_VAIN)
        assert pipeline.topics.logs[CUSTOMER_TRIGGERS.dead_letters] == []


async def test_a_goal_that_is_heard_of_before_its_entry_counts_and_ends_the_run(postgres_dsn: str) -> None:
    """The order's event overtakes the cart's: nobody is reminded, and the report has it."""
    reminder = campaign("reminder", {"wait": "1h"}, goal={"on": "order.placed"})
    async with shop(postgres_dsn, reminder) as pipeline:
        await pipeline.run_until(NOON + 10 * MINUTE)
        await pipeline.post(ordered(HANA, NOON + 5 * MINUTE, "A-1", "tea"))
        await pipeline.post(*added(HANA, NOON, "tea"))
        await pipeline.post(*added(HANA, NOON + 6 * MINUTE, "cup"))
        await pipeline.run_until(NOON + 3 * HOUR)
        assert sent(pipeline, "reminder") == [HOUR + 6 * MINUTE]
        [counted] = await pipeline.pool.fetch(
            "SELECT e.started_at, c.at FROM conversions c JOIN enrolments e USING (enrolment_id)"
        )
        assert tuple(counted) == (NOON, NOON + 5 * MINUTE)
