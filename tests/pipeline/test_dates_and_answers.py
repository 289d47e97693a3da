"""What brings people into campaigns without an event of theirs, and what they say by a tap, up to the trigger topic."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.line_webhooks import signed_event
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import event, line_subject, ordered
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.people import decode_state
from todoke_shared.segments.model import Segment

TOKYO = ZoneInfo("Asia/Tokyo")
NOON = datetime(2026, 4, 1, 12, 0, tzinfo=TOKYO).astimezone(UTC)
HANA, JIRO = line_subject("hana"), line_subject("jiro")
STATE = "SELECT p.state::text FROM people p JOIN identities i USING (person_id) WHERE i.identifier = $1"


def says(name: str, enter: dict[str, Any], **more: Any) -> Campaign:
    """One message, at once."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": enter,
            "steps": [{"send": "text"}],
            "messages": {"text": [{"type": "text", "text": name}]},
            **more,
        }
    )


CAMPAIGNS = [
    says("birthday", {"date": "birthday", "offset": "-7d", "at": "10:00", "when": {"friend": True}}),
    says("contract", {"date": "date.contract", "at": "08:30"}, zone="Europe/Paris"),
    says("coupon", {"on": "line.message", "keyword": "クーポン", "again": "always"}),
    says("care", {"on": "line.follow"}, goal=[{"on": "review.posted"}, {"on": "order.placed"}]),
    says("consult", {"on": "call", "again": "always"}),
]
BUYERS = Segment(segment="buyers", when={"orders": {"at_least": 1}})


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """Hana and Jiro are friends."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=CAMPAIGNS, segments=[BUYERS]) as opened:
        await opened.follow("hana", "jiro")
        yield opened


def triggers(pipeline: Pipeline, campaign: str) -> list[tuple[str, datetime, str]]:
    """Kind, instant and key of what lies in the topic for a campaign."""
    found = [Trigger.from_json(record.value) for record in pipeline.topics.logs[CUSTOMER_TRIGGERS.name]]
    return [(one.kind, one.at.astimezone(TOKYO), one.key) for one in found if one.campaign == campaign]


def tokyo(text: str) -> datetime:
    """A local time of Japan."""
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


async def say(pipeline: Pipeline, name: str, **fields: Any) -> None:
    """A person writes or taps."""
    body, signature = signed_event(fields, name, pipeline.clock.now(), SIMULATOR_SECRET)
    answer = await pipeline.door.take_line_webhook("main", body, signature)
    assert answer.status == 200
    await pipeline.settle()


async def test_the_clock_alone_brings_people_in_by_their_dates(pipeline: Pipeline) -> None:
    """Each year seven days before the birthday at ten, once on another date, each by its own campaign's calendar."""
    await pipeline.post(
        event("customer.updated", HANA, NOON, {"birthday": "1992-02-29", "contract": "2026-05-01"}),
        event("customer.updated", JIRO, NOON, {"birthday": "1990-04-08"}),
    )
    assert triggers(pipeline, "birthday") == [("enter", NOON.astimezone(TOKYO), "2026-04-08")]  # Jiro's is today
    await pipeline.run_until(tokyo("2028-03-01T00:00"))
    assert triggers(pipeline, "birthday")[1:] == [
        ("enter", tokyo("2027-02-22T10:00"), "2027-03-01"),
        ("enter", tokyo("2027-04-01T10:00"), "2027-04-08"),
        ("enter", tokyo("2028-02-22T10:00"), "2028-02-29"),
    ]
    assert triggers(pipeline, "contract") == [("enter", tokyo("2026-05-01T15:30"), "2026-05-01")]


async def test_who_is_no_friend_when_the_time_comes_stays_out(pipeline: Pipeline) -> None:
    """The filter is asked at that instant."""
    await pipeline.post(event("customer.updated", HANA, NOON, {"birthday": "1990-05-08"}))
    await pipeline.run_until(tokyo("2026-05-01T09:59"))
    await pipeline.follow("hana", kind="unfollow")
    await pipeline.run_until(tokyo("2026-05-02T00:00"))
    assert triggers(pipeline, "birthday") == []


async def test_a_date_put_right_before_its_time_sends_nothing_on_the_old_one(pipeline: Pipeline) -> None:
    """An hour before; the new one comes when it comes."""
    await pipeline.post(event("customer.updated", HANA, NOON, {"birthday": "1990-05-08"}))
    early = tokyo("2026-05-01T09:00")
    await pipeline.run_until(early)
    await pipeline.post(event("customer.updated", HANA, early, {"birthday": "1990-05-28"}))
    await pipeline.run_until(tokyo("2026-06-30T00:00"))
    assert triggers(pipeline, "birthday") == [("enter", tokyo("2026-05-21T10:00"), "2026-05-28")]


async def test_an_answer_is_known_at_once_and_told_to_its_campaign(pipeline: Pipeline) -> None:
    """The register that conditions read, and the trigger; another button is neither."""
    await say(pipeline, "hana", type="postback", postback={"data": "todoke:ask:care:skin-type:乾燥肌"})
    await say(pipeline, "jiro", type="postback", postback={"data": "skin=dry"})
    at = NOON.astimezone(TOKYO)
    assert [one for one in triggers(pipeline, "care") if one[0] != "enter"] == [("answer", at, "")]
    told = [Trigger.from_json(record.value) for record in pipeline.topics.logs[CUSTOMER_TRIGGERS.name]]
    assert [one.context for one in told if one.kind == "answer"] == [{"question": "skin-type", "answer": "乾燥肌"}]
    known = [decode_state(await pipeline.people.fetchval(STATE, subject)).answers for subject in (HANA, JIRO)]
    assert [{name: register.value for name, register in one.items()} for one in known] == [{"skin-type": "乾燥肌"}, {}]


async def test_words_goals_and_calls_come_as_triggers(pipeline: Pipeline) -> None:
    """A keyword in any width, an order that a campaign is for, and another system's wish."""
    await say(pipeline, "hana", type="message", message={"type": "text", "id": "1", "text": " ｸｰﾎﾟﾝ"})
    await pipeline.post(
        ordered(HANA, NOON + timedelta(minutes=1), "H-1"),
        event("campaign.start_requested", HANA, NOON, {"campaign": "consult"}, event_id="c-1"),
        event("campaign.start_requested", HANA, NOON, {"campaign": "consult"}, event_id="c-1"),
        event("campaign.stop_requested", HANA, NOON, {"campaign": "consult"}, event_id="c-2"),
    )
    at = NOON.astimezone(TOKYO)
    assert triggers(pipeline, "coupon") == [("enter", at, "")]
    assert triggers(pipeline, "care")[2:] == [("goal", at + timedelta(minutes=1), "")]
    assert sorted(triggers(pipeline, "consult")) == [("enter", at, ""), ("exit", at, "")]
