"""A campaign with a schedule, from what is known of people to messages in LINE, by the scheduler's own engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.broadcasts import go_through, merge
from tests.support.line_webhooks import line_user_id
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import line_subject
from todoke_scheduler import reading_ahead
from todoke_scheduler.broadcasting import Broadcaster
from todoke_scheduler.domain import broadcasts as rules
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.limits import Cap
from todoke_shared.campaigns.model import Campaign
from todoke_shared.ids import person_id
from todoke_shared.segments.model import Segment
from todoke_shared.shops import Shop

NOON = datetime(2026, 4, 3, 3, tzinfo=UTC)
"""A Friday's, in Tokyo."""
DAY = timedelta(days=1)


def broadcast(name: str, *steps: dict[str, Any], **more: Any) -> Campaign:
    """A campaign for every Friday at noon."""
    texts = {step["send"] for step in steps if "send" in step}
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": {"schedule": {"every": "friday", "at": "12:00"}, **more.pop("enter", {})},
            "steps": list(steps),
            "messages": {text: [{"type": "text", "text": text}] for text in texts},
            **more,
        }
    )


@asynccontextmanager
async def stage(dsn: str, *campaigns: Campaign, **more: Any) -> AsyncIterator[tuple[Pipeline, Broadcaster]]:
    """A pipeline an hour before noon, with a broadcaster on its scheduler."""
    async with open_pipeline(dsn, NOON - timedelta(hours=1), campaigns=campaigns, **more) as pipeline:
        catalogue = CampaignCatalogue(pipeline.pool)
        await catalogue.refresh()
        broadcaster = Broadcaster(pipeline.pool, pipeline.clock, catalogue, pipeline.scheduler, wake=lambda: None)
        yield pipeline, broadcaster


async def at(pipeline: Pipeline, broadcaster: Broadcaster, instant: datetime) -> None:
    """Let everything up to an instant happen, and the broadcasts that are due then."""
    await pipeline.run_until(instant)
    await go_through(broadcaster)
    await pipeline.settle()


async def test_a_broadcast_of_several_steps_takes_each_person_through_them(postgres_dsn: str) -> None:
    """Those of a segment who are friends then; the later steps wait, and ask what is known by then."""
    campaign = broadcast(
        "spring",
        {"send": "春の新作です"},
        {"wait": "1d"},
        {"send": "まだの方へ", "if": {"not": {"tags": {"has": "bought"}}}},
        enter={"when": {"segment": "women"}},
    )
    women = Segment.model_validate({"segment": "women", "when": {"gender": "female"}})
    async with stage(postgres_dsn, campaign, segments=[women]) as (pipeline, broadcaster):
        await pipeline.follow("hana", "yuki", "taro")
        for name, gender in (("hana", "female"), ("yuki", "female"), ("taro", "male")):
            await pipeline.post(told_of(name, NOON - DAY, gender=gender))
        await at(pipeline, broadcaster, NOON)
        assert [pipeline.sent_to(name) for name in ("hana", "yuki", "taro")] == [["春の新作です"], ["春の新作です"], []]
        await pipeline.post(told_of("yuki", NOON, tags=["bought"]))
        await at(pipeline, broadcaster, NOON + DAY)
        assert pipeline.sent_to("hana") == ["春の新作です", "まだの方へ"]
        assert pipeline.sent_to("yuki") == ["春の新作です"]


async def test_the_shops_caps_hold_over_broadcasts(postgres_dsn: str) -> None:
    """Two at the same minute, and one message a day: everybody gets one of them, and the log says why not the other."""
    shop = Shop(caps=(Cap.model_validate({"messages": 1, "within": "1d"}),))
    one, other = broadcast("one", {"send": "お知らせ"}), broadcast("other", {"send": "お得情報"})
    async with stage(postgres_dsn, one, other, shops={"main": shop}) as (pipeline, broadcaster):
        await pipeline.follow("hana", "yuki", "taro")
        await at(pipeline, broadcaster, NOON)
        assert [len(pipeline.sent_to(name)) for name in ("hana", "yuki", "taro")] == [1, 1, 1]
        told = await pipeline.pool.fetch("SELECT DISTINCT decision FROM decisions")
        assert [line["decision"] for line in told] == ["the shop sends one person at most 1 message within 1d"]


async def test_who_had_it_once_is_left_out_where_the_campaign_says_never_again(postgres_dsn: str) -> None:
    """Each Friday it is for those who are new."""
    async with stage(postgres_dsn, broadcast("hello", {"send": "はじめまして"}, enter={"again": "never"})) as (
        pipeline,
        broadcaster,
    ):
        await pipeline.follow("hana")
        await at(pipeline, broadcaster, NOON)
        await pipeline.follow("yuki")
        await at(pipeline, broadcaster, NOON + 7 * DAY)
        await at(pipeline, broadcaster, NOON + 14 * DAY)
        assert [pipeline.sent_to(name) for name in ("hana", "yuki")] == [["はじめまして"], ["はじめまして"]]
        rows = await pipeline.pool.fetch("SELECT entered FROM broadcasts WHERE state = 'done' ORDER BY due_at")
        assert [row["entered"] for row in rows] == [1, 1, 0]


async def test_whose_run_begins_anew_is_counted_once(postgres_dsn: str) -> None:
    """The run that ends for it has not entered."""
    anew = broadcast("anew", {"wait": "30d"}, {"send": "お知らせ"}, enter={"again": "restart"})
    async with stage(postgres_dsn, anew) as (pipeline, broadcaster):
        await pipeline.follow("hana")
        for week in range(2):
            await at(pipeline, broadcaster, NOON + 7 * week * DAY)
        rows = await pipeline.pool.fetch("SELECT entered FROM broadcasts WHERE state = 'done' ORDER BY due_at")
        assert [row["entered"] for row in rows] == [1, 1]


async def test_two_ids_of_one_person_are_let_in_once_where_every_entry_begins_anew(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They turn out to be one between the two ids' places: the second place is no second entry."""
    monkeypatch.setattr(rules, "CHUNK", 1)
    monkeypatch.setattr(reading_ahead, "FRESH_SECONDS", 0.0)  # what was read before they were one is too old
    anew = broadcast("anew", {"send": "お知らせ"}, enter={"again": "restart"})
    async with stage(postgres_dsn, anew) as (pipeline, broadcaster):
        await pipeline.follow("hana", "yuki")
        await pipeline.run_until(NOON)
        await broadcaster.plan()
        assert await broadcaster.go_on()
        await merge(pipeline.pool, *(person_id("main", line_subject(name)) for name in ("hana", "yuki")))
        await at(pipeline, broadcaster, NOON + timedelta(seconds=1))
        assert await pipeline.pool.fetchval("SELECT count(*) FROM broadcasts WHERE state = 'done'") == 1
        assert len(pipeline.sent_to("hana") + pipeline.sent_to("yuki")) == 1


async def test_a_message_that_is_all_there_is_arrives_with_what_is_known_of_the_person(postgres_dsn: str) -> None:
    """Carried out as a set, it is rendered for each."""
    async with stage(postgres_dsn, broadcast("named", {"send": "{{ person.name }}様、本日の新着です"})) as (
        pipeline,
        broadcaster,
    ):
        await pipeline.follow("hana", "yuki")
        for name, told in (("hana", "花"), ("yuki", "雪")):
            await pipeline.post(told_of(name, NOON - DAY, name=told))
        await at(pipeline, broadcaster, NOON)
        assert pipeline.sent_to("hana") == ["花様、本日の新着です"]
        assert pipeline.sent_to("yuki") == ["雪様、本日の新着です"]


def told_of(friend: str, when: datetime, **attributes: Any) -> dict[str, Any]:
    """The shop tells of somebody whom it knows by their LINE user."""
    return {
        "specversion": "1.0",
        "id": f"{friend}-{when.isoformat()}-{sorted(attributes)}",
        "source": "shop",
        "type": "customer.updated",
        "subject": f"line:main:{line_user_id(friend)}",
        "time": when.isoformat(),
        "data": attributes,
    }
