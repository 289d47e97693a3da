"""What runs are given stays theirs, and what they bring about goes by its own way."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.random_campaigns import written
from tests.support.shop_events import line_subject
from todoke_scheduler.adapters.coupons import add_codes
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, LANES
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import person_id
from todoke_shared.jsons import loads
from todoke_shared.kafka.records import Outgoing

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)


async def let_hana_in(pipeline: Pipeline) -> None:
    """She is a friend, and another system has written a trigger for her."""
    await pipeline.follow("hana")
    hana = person_id("main", line_subject("hana"))
    entry = Trigger(id=uuid4(), kind="enter", campaign="care", person=hana, at=NOON)
    await pipeline.topics.publish([Outgoing(CUSTOMER_TRIGGERS.name, str(hana).encode(), entry.to_json())])
    await pipeline.settle()


async def test_a_code_is_told_as_often_as_messages_name_it(postgres_dsn: str) -> None:
    """Given today, it is in the reminders of tomorrow and the day after."""
    text = {"hello": [{"type": "text", "text": "{{ coupon.code }}"}]}
    steps = [{"coupon": "spring"}, {"wait": "1d"}, {"send": "hello"}, {"wait": "1d"}, {"send": "hello"}]
    async with open_pipeline(postgres_dsn, NOON, campaigns=[written(steps, messages=text)]) as pipeline:
        await add_codes(pipeline.pool, "spring", ["A", "B"])
        await let_hana_in(pipeline)
        await pipeline.run_until(NOON + 3 * DAY)
        assert pipeline.sent_to("hana") == ["A", "A"]


async def test_a_menu_does_not_wait_behind_a_broadcast(postgres_dsn: str) -> None:
    """Of a marketing campaign, too, it goes where nothing stands in its way; the message goes with the others."""
    steps = [{"rich_menu": "member"}, {"send": "hello"}]
    async with open_pipeline(postgres_dsn, NOON, campaigns=[written(steps)]) as pipeline:
        await let_hana_in(pipeline)
        logs = [[loads(one.value or b"") for one in pipeline.topics.logs[topic.name]] for topic in LANES.values()]
    lanes = dict(zip(LANES, logs, strict=True))
    assert [one["rich_menu"] for one in lanes["transactional"]] == ["member"]
    assert [one["step"] for one in lanes["marketing"]] == ["hello"]
