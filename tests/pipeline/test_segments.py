"""Campaigns that people enter and leave with their segments: by what they do, and by nothing but time (F10)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline import CAMPAIGNS, Pipeline, open_pipeline
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.segments.model import Segment
from todoke_shared.segments.source import load_segments

SHIPPED = Path(__file__).parents[2] / "segments"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HANA, JIRO = line_subject("hana"), line_subject("jiro")


def campaign(name: str, text: str, enter: dict[str, Any], *exits: dict[str, Any], wait: str | None = None) -> Campaign:
    """Says one thing to whoever enters."""
    waits = [{"wait": wait}] if wait else []
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "marketing",
            "enter": {"again": "always", **enter},
            "exit": list(exits),
            "steps": [*waits, {"send": "text"}],
            "messages": {"text": [{"type": "text", "text": text}]},
        }
    )


WIN_BACK = campaign(
    "win-back",
    "お久しぶりです",
    {"on": "segment.entered", "segment": "sleepers", "when": {"friend": True}},
    {"on": "segment.left", "segment": "sleepers"},
    wait="1h",
)
THANKS = campaign("thanks", "いつもありがとうございます", {"on": "segment.entered", "segment": "class-good"})
REMINDER = campaign("awake-carts", "カート", {"on": "cart.changed", "when": {"not": {"segment": "sleepers"}}})


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """The shipped segments and classes; Hana and Jiro are friends and ordered at noon."""
    campaigns = [WIN_BACK, THANKS, REMINDER]
    async with open_pipeline(postgres_dsn, NOON, campaigns=campaigns, segments=load_segments(SHIPPED)) as opened:
        await opened.follow("hana", "jiro")
        await opened.post(ordered(HANA, NOON, "H-1", "tea"), ordered(JIRO, NOON, "J-1", "tea"))
        yield opened


async def test_time_alone_brings_a_win_back(pipeline: Pipeline) -> None:
    """180 days after the order to the minute Hana sleeps, an hour later she is written to; once, and nothing else."""
    await pipeline.run_until(NOON + 180 * DAY + HOUR - timedelta(minutes=1))
    assert pipeline.sent == []
    await pipeline.run_until(NOON + 400 * DAY)
    assert [(message.at, message.text) for message in pipeline.sent] == [
        (NOON + 180 * DAY + HOUR, "お久しぶりです")
    ] * 2


async def test_an_order_wakes_a_sleeper_before_the_message(pipeline: Pipeline) -> None:
    """Half an hour after Hana fell asleep she orders: she leaves the segment, so the campaign; Jiro is written to."""
    asleep = NOON + 180 * DAY
    await pipeline.run_until(asleep + HOUR / 2)
    await pipeline.post(ordered(HANA, asleep + HOUR / 2, "H-2", "tea"))
    await pipeline.run_until(asleep + 2 * HOUR)
    assert pipeline.sent_to("hana") == ["いつもありがとうございます"]  # a second order within the year
    assert pipeline.sent_to("jiro") == ["お久しぶりです"]


async def test_an_order_heard_late_still_ends_the_run(pipeline: Pipeline) -> None:
    """It happened a minute before Hana fell asleep and is heard ten minutes after."""
    asleep = NOON + 180 * DAY
    await pipeline.run_until(asleep + timedelta(minutes=10))
    await pipeline.post(ordered(HANA, asleep - timedelta(minutes=1), "H-2", "tea"))
    await pipeline.run_until(asleep + 2 * HOUR)
    assert pipeline.sent_to("hana") == ["いつもありがとうございます"]  # a second order within the year
    assert pipeline.sent_to("jiro") == ["お久しぶりです"]


async def test_each_sleep_is_an_entry_of_its_own(pipeline: Pipeline) -> None:
    """Hana sleeps, wakes, and sleeps again 180 days after her second order."""
    again = NOON + 200 * DAY
    await pipeline.run_until(again)
    await pipeline.post(ordered(HANA, again, "H-2", "tea"))
    await pipeline.run_until(again + 181 * DAY)
    assert pipeline.sent_to("hana") == ["お久しぶりです", "いつもありがとうございます", "お久しぶりです"]


async def test_a_change_of_class_is_a_trigger(pipeline: Pipeline) -> None:
    """The second order within a year makes a good customer, at once."""
    await pipeline.run_until(NOON + DAY)
    await pipeline.post(ordered(HANA, NOON + DAY, "H-2", "tea"))
    assert [(message.at, message.text) for message in pipeline.sent] == [(NOON + DAY, "いつもありがとうございます")]


async def test_imported_sleepers_are_asleep_and_hear_nothing(pipeline: Pipeline) -> None:
    """Old orders of an import put people into segments without a word; a campaign may ask for them all the same."""
    mari = line_subject("mari")
    await pipeline.follow("mari")
    await pipeline.post({**ordered(mari, NOON - 300 * DAY, "M-1", "tea"), "history": True})
    await pipeline.run_until(NOON + 2 * HOUR)
    await pipeline.post(*added(mari, NOON + 2 * HOUR, "tea"), *added(HANA, NOON + 2 * HOUR, "tea"))
    assert (pipeline.sent_to("mari"), pipeline.sent_to("hana")) == ([], ["カート"])


async def test_the_shipped_campaigns_and_segments_live_together(postgres_dsn: str) -> None:
    """Nobody is sent anything because a segment exists."""
    segments: list[Segment] = load_segments(SHIPPED)
    async with open_pipeline(postgres_dsn, NOON, campaigns=load_campaigns(CAMPAIGNS), segments=segments) as opened:
        await opened.post(event("page.viewed", "visitor:1", NOON, {}))
        await opened.run_until(NOON + 400 * DAY)
        assert opened.sent == []
