"""What runs are given and told stays theirs from look to look, and what they bring about goes by its own way."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.random_campaigns import written
from tests.support.shop_events import event, line_subject
from todoke_scheduler.adapters.coupons import add_codes
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, LANES
from todoke_shared.contracts.triggers import Trigger, TriggerKind
from todoke_shared.ids import person_id
from todoke_shared.jsons import loads
from todoke_shared.kafka.records import Outgoing

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HANA = person_id("main", line_subject("hana"))
WAIT: dict[str, Any] = {"wait": "1h"}


async def tell(pipeline: Pipeline, kind: TriggerKind, at: datetime = NOON, **context: Any) -> None:
    """Another system has written a trigger about Hana."""
    told = Trigger(id=uuid4(), kind=kind, campaign="care", person=HANA, at=at, context=context)
    await pipeline.topics.publish([Outgoing(CUSTOMER_TRIGGERS.name, str(HANA).encode(), told.to_json())])
    await pipeline.settle()


async def test_a_code_and_a_way_are_kept_from_look_to_look(postgres_dsn: str) -> None:
    """Given in an hour, the code is in the messages of tomorrow and the day after; the way is there for the report."""
    text = {"hello": [{"type": "text", "text": "{{ coupon.code }}"}]}
    way: dict[str, Any] = {"split": {"a": 50, "b": 50}, "name": "way", "a": [], "b": []}
    hello: list[dict[str, Any]] = [{"wait": "1d"}, {"send": "hello"}]
    campaign = written([WAIT, {"coupon": "spring"}, WAIT, way, *hello, *hello], messages=text)
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign]) as pipeline:
        await pipeline.follow("hana")
        await add_codes(pipeline.pool, "spring", ["A", "B"])
        await tell(pipeline, "enter")
        await pipeline.run_until(NOON + 3 * DAY)
        assert pipeline.sent_to("hana") == ["A", "A"]
        assert (await pipeline.pool.fetchval("SELECT arms FROM enrolments")).keys() == {"way"}


async def test_each_answer_of_a_run_is_kept(postgres_dsn: str) -> None:
    """The second does not take the place of the first."""
    ask: dict[str, Any] = {"message": "hello", "answers": ["yes", "no"], "within": "1d"}
    campaign = written([{"ask": "skin", **ask}, {"ask": "taste", **ask}, WAIT])
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign]) as pipeline:
        await pipeline.follow("hana")
        await tell(pipeline, "enter")
        for question, answer in (("skin", "yes"), ("taste", "no")):
            await tell(pipeline, "answer", question=question, answer=answer)
        notes = await pipeline.pool.fetchval("SELECT notes FROM enrolments")
        assert notes == {"answers": {"skin": "yes", "taste": "no"}}


async def test_a_run_that_has_moved_on_has_one_timer(postgres_dsn: str) -> None:
    """The one that waited for the answer finds it gone, and sets no other."""
    ask: dict[str, Any] = {"ask": "skin", "message": "hello", "answers": ["yes", "no"], "within": "1h"}
    async with open_pipeline(postgres_dsn, NOON, campaigns=[written([ask, {"wait": "5d"}])]) as pipeline:
        await pipeline.follow("hana")
        await tell(pipeline, "enter")
        await tell(pipeline, "answer", question="skin", answer="yes")
        assert await pipeline.pool.fetchval("SELECT count(*) FROM timers") == 2
        await pipeline.run_until(NOON + 2 * HOUR)
        assert await pipeline.pool.fetchval("SELECT count(*) FROM timers") == 1


async def test_a_goal_is_counted_for_a_run_that_is_over(postgres_dsn: str) -> None:
    """Its message had gone, and brought it about: within the time, and no later."""
    campaign = written([{"send": "hello"}], goal={"on": "order.placed", "within": "3d"})
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign]) as pipeline:
        await pipeline.follow("hana")
        await tell(pipeline, "enter")
        assert await pipeline.pool.fetchval("SELECT status FROM enrolments") == "done"
        for days in (2, 4):
            await tell(pipeline, "goal", NOON + days * DAY, goal=0, event={"amount": 1980})
        await tell(pipeline, "goal", NOON + DAY, goal=1)  # of a version that had two
        counted = await pipeline.pool.fetch("SELECT at, amount FROM conversions")
        assert [tuple(row) for row in counted] == [(NOON + 2 * DAY, 1980.0)]


async def test_who_refuses_marketing_is_asked_before_each_message(postgres_dsn: str) -> None:
    """Also where the campaign asks nothing else about the person; who takes it back gets the next one."""
    campaign = written([{"send": "hello"}, {"wait": "1d"}, {"send": "again"}])
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign]) as pipeline:
        await pipeline.follow("hana")
        said = event("customer.updated", line_subject("hana"), NOON, {"accepts_marketing": False})
        await pipeline.post(said)
        await tell(pipeline, "enter")
        await pipeline.run_until(NOON + HOUR)
        await pipeline.post(event("customer.updated", line_subject("hana"), NOON + HOUR, {"accepts_marketing": True}))
        await pipeline.run_until(NOON + 2 * DAY)
        assert pipeline.sent_to("hana") == ["こんにちは"]
        told = await pipeline.pool.fetch("SELECT step, decision FROM decisions")
        assert [tuple(row) for row in told] == [("steps[0]", "the person does not want marketing")]


async def test_a_run_that_begins_with_a_date_of_the_person_knows_it(postgres_dsn: str) -> None:
    """Though it does nothing but wait when it begins."""
    campaign = written([{"wait": {"date": "birthday", "at": "12:00"}}, {"send": "hello"}])
    async with open_pipeline(postgres_dsn, NOON, campaigns=[campaign]) as pipeline:
        await pipeline.follow("hana")
        await pipeline.post(event("customer.updated", line_subject("hana"), NOON, {"birthday": "1990-04-03"}))
        await tell(pipeline, "enter")
        await pipeline.run_until(NOON + 5 * DAY)
        assert [message.at for message in pipeline.sent] == [NOON + 2 * DAY]


async def test_a_menu_does_not_wait_behind_a_broadcast(postgres_dsn: str) -> None:
    """Of a marketing campaign, too, it goes where nothing stands in its way; the message goes with the others."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[written([{"rich_menu": "member"}, {"send": "hello"}])]) as (
        pipeline
    ):
        await pipeline.follow("hana")
        await tell(pipeline, "enter")
        logs = [[loads(one.value or b"") for one in pipeline.topics.logs[topic.name]] for topic in LANES.values()]
    lanes = dict(zip(LANES, logs, strict=True))
    assert [one["rich_menu"] for one in lanes["transactional"]] == ["member"]
    assert [one["step"] for one in lanes["marketing"]] == ["hello"]
