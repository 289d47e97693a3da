"""What campaigns promise, as stories: branches, questions, guards, coupons, goals, versions. Triggers are handmade."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.line_webhooks import line_user_id
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import event, line_subject
from todoke_scheduler import carrying_out
from todoke_scheduler.adapters import overseeing
from todoke_scheduler.adapters.coupons import add_codes, list_pools
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.domain.sharing import in_holdout
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger, TriggerKind, TriggerRecord
from todoke_shared.ids import person_id
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.pool import open_pool
from todoke_shared.shops import Shop

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
"""In Tokyo."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HANA = person_id("main", line_subject("hana"))


def campaign(steps: Sequence[Mapping[str, Any]], **keys: Any) -> Campaign:
    """A campaign that only triggers start. A message's text is its name, unless `texts` says otherwise."""
    texts: dict[str, str] = keys.pop("texts", {})
    names = _messages(list(steps))
    return Campaign.model_validate(
        {
            "campaign": "care",
            "class": "marketing",
            "enter": {"on": "call", "again": "always"},
            "steps": list(steps),
            "messages": {name: [{"type": "text", "text": texts.get(name, name)}] for name in sorted(names)},
            **keys,
        }
    )


def _messages(part: object) -> set[str]:
    match part:
        case {"send": str(name)} | {"ask": _, "message": str(name)}:
            return {name}
        case dict():
            return set().union(*map(_messages, part.values()))
        case list():
            return set().union(*map(_messages, part))
    return set()


class Story:
    """A pipeline in which Hana is a friend, and triggers are written by hand."""

    def __init__(self, pipeline: Pipeline, dsn: str) -> None:
        self.pipeline = pipeline
        self.dsn = dsn

    async def trigger(
        self, kind: TriggerKind = "enter", *, name: str = "care", person: UUID = HANA, **told: Any
    ) -> None:
        """A trigger about a person, at this instant, and what comes of it."""
        now = self.pipeline.clock.now()
        given = {"id": uuid4(), "at": now, **told}
        await self._write(Trigger(kind=kind, campaign=name, person=person, **given))

    async def call(self, subject: str, name: str = "care") -> None:
        """Another system starts a campaign for somebody as it knows them."""
        now = self.pipeline.clock.now()
        await self._write(TriggerRecord(id=uuid4(), kind="enter", campaign=name, subject=subject, at=now))

    async def _write(self, trigger: TriggerRecord) -> None:
        key = str(trigger.person or trigger.subject).encode()
        await self.pipeline.topics.publish([Outgoing(CUSTOMER_TRIGGERS.name, key, trigger.to_json())])
        await self.pipeline.settle()

    @property
    def sent(self) -> list[tuple[str, datetime]]:
        """What Hana received, and when."""
        to = line_user_id("hana")
        return [(message.text, message.at) for message in self.pipeline.sent if message.to == to]

    @property
    def texts(self) -> list[str]:
        """What she received."""
        return [text for text, _ in self.sent]

    async def decisions(self) -> list[tuple[str | None, str]]:
        """The decision log: step and sentence."""
        rows = await self.pipeline.pool.fetch("SELECT step, decision FROM decisions ORDER BY at, ctid")
        return [(row["step"], row["decision"]) for row in rows]

    async def publish(self, *campaigns: Campaign) -> None:
        """Put versions in force."""
        await publish(self.pipeline.pool, campaigns)
        await self.pipeline.scheduler._catalogue.refresh()


@asynccontextmanager
async def story(dsn: str, *campaigns: Campaign, shops: Mapping[str, Shop] | None = None) -> AsyncIterator[Story]:
    """These campaigns, at noon, with Hana as a friend."""
    async with open_pipeline(dsn, NOON, campaigns=campaigns, shops=shops) as pipeline:
        await pipeline.follow("hana")
        yield Story(pipeline, dsn)


@pytest.mark.parametrize(("points", "way"), [(800, "rich"), (100, "poor"), (None, "poor")])
async def test_a_branch_is_taken_by_what_is_known_when_it_is_come_to(
    postgres_dsn: str, points: int | None, way: str
) -> None:
    """The balance changes while the run waits: the newer one counts, and the message tells it."""
    steps: list[dict[str, Any]] = [
        {"wait": "1h"},
        {"if": {"points": {"at_least": 500}}, "then": [{"send": "rich"}], "else": [{"send": "poor"}]},
    ]
    texts = {"rich": "rich {{ person.points }}", "poor": "poor"}
    async with story(postgres_dsn, campaign(steps, texts=texts)) as told:
        await told.trigger()
        if points is not None:
            at = told.pipeline.clock.now()
            await told.pipeline.post(event("points.changed", line_subject("hana"), at, {"balance": points}))
        await told.pipeline.run_until(NOON + 2 * HOUR)
        assert told.sent == [("rich 800" if way == "rich" else "poor", NOON + HOUR)]
        assert ("steps[1]", f"goes on with `{'then' if way == 'rich' else 'else'}`") in await told.decisions()


ASK = {"ask": "skin", "message": "question", "answers": ["乾燥肌", "脂性肌"], "within": "1d"}
DRY = {"question": "skin", "answer": "乾燥肌"}


async def test_an_answered_question_lets_the_run_go_on_at_once(postgres_dsn: str) -> None:
    """The messages after it know the answer, hours later too; the day that it might have taken passes unnoticed."""
    texts = {"thanks": "{{ answers.skin }}ですね", "later": "{{ answers.skin }}の方へ"}
    steps: list[dict[str, Any]] = [ASK, {"send": "thanks"}, {"wait": "1h"}, {"send": "later"}]
    async with story(postgres_dsn, campaign(steps, texts=texts)) as told:
        await told.trigger()
        await told.pipeline.run_until(NOON + 3 * HOUR)
        assert told.texts == ["question"]
        await told.trigger("answer", context=DRY)
        assert told.sent[1:] == [("乾燥肌ですね", NOON + 3 * HOUR)]
        await told.pipeline.run_until(NOON + 3 * DAY)
        assert told.sent[2:] == [("乾燥肌の方へ", NOON + 4 * HOUR)]
        assert ("steps[0]", "answered skin: 乾燥肌") in await told.decisions()


async def test_a_question_nobody_answers_holds_up_the_run_no_longer_than_it_says(postgres_dsn: str) -> None:
    """After a day it goes on; an answer that comes later changes nothing."""
    async with story(postgres_dsn, campaign([ASK, {"send": "anyway"}, {"wait": "2d"}, {"send": "last"}])) as told:
        await told.trigger()
        await told.pipeline.run_until(NOON + DAY + HOUR)
        assert told.sent[1:] == [("anyway", NOON + DAY)]
        await told.trigger("answer", context=DRY)
        assert told.texts == ["question", "anyway"]
        assert ("steps[0]", "not answered in time: goes on without an answer") in await told.decisions()


async def test_who_is_in_the_holdout_gets_nothing_and_is_counted(postgres_dsn: str) -> None:
    """Half of twenty friends, always the same ones, run along in silence; a goal of theirs counts as theirs."""
    known = campaign([{"send": "hello"}], holdout=50, goal={"on": "order.placed", "ends": False})
    names = [f"friend{number}" for number in range(20)]
    async with story(postgres_dsn, known) as told:
        await told.pipeline.follow(*names)
        people = {name: person_id("main", line_subject(name)) for name in names}
        silent = {name for name in names if in_holdout("care", 50, people[name])}
        for person in people.values():
            await told.trigger(person=person)
        told.pipeline.clock.move_to(NOON + HOUR)
        for person in people.values():
            await told.trigger("goal", person=person, context={"goal": 0, "event": {"amount": 1000}})
        assert 0 < len(silent) < 20
        assert {name for name in names if told.pipeline.sent_to(name)} == set(names) - silent
        [listed] = await overseeing.list_campaigns(told.pipeline.pool)
        assert (listed.entered, listed.holdout) == (20, len(silent))
        rows = await told.pipeline.pool.fetch("SELECT holdout, count(*) FROM conversions GROUP BY 1")
        assert dict(map(tuple, rows)) == {True: len(silent), False: 20 - len(silent)}


NIGHT = {"main": Shop.model_validate({"quiet_hours": {"from": "21:00", "to": "09:00"}})}
EVENING, MORNING = NOON + 10 * HOUR, NOON + 21 * HOUR


async def test_what_is_due_at_night_goes_out_in_the_morning(postgres_dsn: str) -> None:
    """The shop's quiet hours hold marketing that says nothing of its own; waits count from the morning."""
    steps = [{"send": "hello"}, {"wait": "1h"}, {"send": "again"}]
    own = campaign([{"send": "bold"}], campaign="bold", quiet_hours="none")
    order = campaign([{"send": "order"}], **{"campaign": "order", "class": "transactional"})
    async with story(postgres_dsn, campaign(steps), own, order, shops=NIGHT) as told:
        await told.pipeline.run_until(EVENING)
        for name in ("care", "bold", "order"):
            await told.trigger(name=name)
        assert sorted(told.texts) == ["bold", "order"]
        await told.pipeline.run_until(MORNING + 3 * HOUR)
        (_, first), (_, second) = [one for one in told.sent if one[0] in ("hello", "again")]
        assert MORNING <= first < MORNING + timedelta(minutes=30)
        assert second == first + HOUR
        assert [sentence[:23] for _, sentence in await told.decisions()] == ["quiet hours: held until"]


ONE_A_DAY = {"main": Shop.model_validate({"caps": [{"messages": 1, "within": "1d"}]})}


async def test_the_shops_cap_counts_all_its_marketing_campaigns(postgres_dsn: str) -> None:
    """Two campaigns at once: one message; transactional ones are not counted and not held; a day later again."""
    first, second = campaign([{"send": "first"}]), campaign([{"send": "second"}], campaign="other")
    order = campaign([{"send": "order"}], **{"campaign": "order", "class": "transactional"})
    async with story(postgres_dsn, first, second, order, shops=ONE_A_DAY) as told:
        for name in ("order", "care", "other"):
            await told.trigger(name=name)
        assert told.texts == ["order", "first"]
        assert ("steps[0]", "the shop sends one person at most 1 message within 1d") in await told.decisions()
        await told.pipeline.run_until(NOON + DAY + MINUTE)
        await told.trigger(name="other")
        assert told.texts[2:] == ["second"]


async def test_two_campaigns_due_in_one_claim_count_each_other(postgres_dsn: str) -> None:
    """Neither has sent anything when the claim begins: still only one of them does."""
    steps = [{"wait": "1h"}, {"send": "hello"}]
    async with story(postgres_dsn, campaign(steps), campaign(steps, campaign="other"), shops=ONE_A_DAY) as told:
        await told.trigger()
        await told.trigger(name="other")
        await told.pipeline.run_until(NOON + 2 * HOUR)
        assert told.texts == ["hello"]


async def test_a_paused_campaign_does_nothing_until_it_is_resumed(postgres_dsn: str) -> None:
    """What was due meanwhile is late, and waits count from when it goes; another campaign is not held up."""
    steps = [{"wait": "1h"}, {"send": "first"}, {"wait": "30m"}, {"send": "second"}]
    async with story(postgres_dsn, campaign(steps), campaign(steps, campaign="other")) as told:
        pipeline = told.pipeline
        for name in ("care", "other"):
            await told.trigger(name=name)
        await overseeing.pause(pipeline.pool, "other")
        await told.publish()
        await pipeline.run_until(NOON + 5 * HOUR)
        assert told.texts == ["first", "second"]
        await overseeing.resume(pipeline.pool, "other")
        await told.publish()
        await pipeline.run_until(NOON + 8 * HOUR)
        (first, at), (second, later) = told.sent[2:]
        assert (first, second, later - at) == ("first", "second", timedelta(minutes=30))


COUPON = [{"coupon": "spring"}, {"send": "gift"}, {"coupon": "spring"}, {"send": "more"}]
CODES = {"gift": "gift {{ coupon.code }}", "more": "more {{ coupon.code }}"}


async def test_a_coupon_is_given_once_whatever_is_retried(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies after the code is taken and before the commit: what comes again takes the same code, once."""
    async with story(postgres_dsn, campaign(COUPON, texts=CODES)) as told:
        await add_codes(told.pipeline.pool, "spring", ["A", "B", "C"])

        async def die(*_: object) -> None:
            raise ConnectionError

        monkeypatch.setattr(carrying_out, "put_outbox", die)
        with pytest.raises(ConnectionError):
            await told.trigger()
        assert [(pool.unused, pool.assigned) for pool in await _pools(told)] == [(3, 0)]
        monkeypatch.undo()
        await told.pipeline.settle()
        assert told.texts == ["gift A", "more B"]
        [pool] = await _pools(told)
        assert (pool.unused, pool.assigned, pool.redeemed) == (1, 2, 0)
        at = told.pipeline.clock.now()
        order = event("order.placed", line_subject("hana"), at, {"order_id": "1", "coupons": ["A"]})
        await told.pipeline.post(order)
        assert [pool.redeemed for pool in await _pools(told)] == [1]


async def test_where_no_coupon_is_left_the_run_goes_on_without_its_message(postgres_dsn: str) -> None:
    """A message that would name a code is not sent; one that names none is."""
    async with story(postgres_dsn, campaign([*COUPON, {"send": "bye"}], texts=CODES)) as told:
        await add_codes(told.pipeline.pool, "spring", ["A"])
        await told.trigger()
        assert told.texts == ["gift A", "bye"]
        reasons = dict(await told.decisions())
        assert reasons["steps[3]"] == "not sent: no coupon was left"
        assert "no code is left in the pool spring" in reasons["steps[2]"]


async def _pools(told: Story) -> list[Any]:
    async with await open_pool(told.dsn, application="operator", schema="scheduler", size=1) as operator:
        return await list_pools(operator)


async def test_a_goal_in_time_ends_the_run_and_is_counted_once(postgres_dsn: str) -> None:
    """With the order's amount; told again it is the same goal; one that comes too late is none."""
    known = campaign([{"wait": "2d"}, {"send": "late"}], goal={"on": "order.placed", "within": "3d"})
    async with story(postgres_dsn, known) as told:
        await told.trigger()
        told.pipeline.clock.move_to(NOON + DAY)
        id_ = uuid4()
        for _ in range(2):
            await told.trigger("goal", id=id_, context={"goal": 0, "event": {"amount": 3980, "order_id": "1"}})
        told.pipeline.clock.move_to(NOON + 4 * DAY)
        await told.trigger("goal", context={"goal": 0, "event": {"amount": 1}})
        await told.pipeline.run_until(NOON + 5 * DAY)
        assert told.sent == []
        rows = await told.pipeline.pool.fetch("SELECT amount, at FROM conversions")
        assert [tuple(row) for row in rows] == [(3980.0, NOON + DAY)]
        [listed] = await overseeing.list_campaigns(told.pipeline.pool)
        assert (listed.active, listed.ended) == (0, 1)


@pytest.mark.parametrize(("running", "text"), [("move", "new"), ("finish", "old")])
async def test_a_new_version_takes_along_who_is_under_way_if_it_says_so(
    postgres_dsn: str, running: str, text: str
) -> None:
    """Published between a run's start and its message."""
    steps = [{"wait": "1h"}, {"send": "hello"}]
    async with story(postgres_dsn, campaign(steps, texts={"hello": "old"})) as told:
        await told.trigger()
        await told.publish(campaign(steps, texts={"hello": "new"}, running=running))
        await told.pipeline.run_until(NOON + 2 * HOUR)
        assert told.texts == [text]
        version = await told.pipeline.pool.fetchval("SELECT version FROM enrolments")
        assert version == (2 if running == "move" else 1)


async def test_what_is_too_late_is_left_out_if_the_campaign_says_so(postgres_dsn: str) -> None:
    """The scheduler was away for three hours; without `skip` the message goes out, held and spread, once."""
    steps = [{"wait": "1h"}, {"send": "hello"}]
    skipping = campaign(steps, campaign="skipping", late={"after": "1h", "then": "skip"}, texts={"hello": "skipped"})
    async with story(postgres_dsn, campaign(steps), skipping) as told:
        for name in ("care", "skipping"):
            await told.trigger(name=name)
        told.pipeline.clock.move_to(NOON + 4 * HOUR)
        await told.pipeline.run_until(NOON + 6 * HOUR)
        [(text, at)] = told.sent
        assert text == "hello"
        assert NOON + 4 * HOUR < at <= NOON + 5 * HOUR
        sentences = [sentence for _, sentence in await told.decisions()]
        assert "left out: 3h late, and the campaign does nothing more than 1h late" in sentences


async def test_tags_attributes_and_events_of_a_campaign_come_back_to_the_shop(postgres_dsn: str) -> None:
    """They are events like any other: what is known of the person changes, and says who told it."""
    steps: list[dict[str, Any]] = [
        {"tag": "vip"},
        {"set": {"favourite": "tea"}},
        {"emit": "custom.care-finished", "data": {"score": 1}},
        {"wait": "1h"},
        {"if": {"all": [{"tags": {"has": "vip"}}, {"profile.favourite": "tea"}]}, "then": [{"send": "known"}]},
    ]
    async with story(postgres_dsn, campaign(steps)) as told:
        await told.trigger()
        await told.pipeline.run_until(NOON + 2 * HOUR)
        assert told.texts == ["known"]
        state = await told.pipeline.people.fetchval("SELECT state::jsonb FROM people")
        assert state["profile"]["favourite"]["source"] == "todoke:campaign:care"


async def test_another_system_starts_a_campaign_by_the_name_it_knows_somebody_by(postgres_dsn: str) -> None:
    """A name that nobody has is a dead letter that says what to do, and holds up nobody."""
    async with story(postgres_dsn, campaign([{"send": "hello"}])) as told:
        await told.call("customer:nobody")
        await told.call(line_subject("hana"))
        assert told.texts == ["hello"]
        [dead] = told.pipeline.topics.read(CUSTOMER_TRIGGERS.dead_letters, "test")
        assert b"nobody is known by this name" in dict(dead.headers)["todoke-reason"]
