"""F24, F23: a message's link -> the redirect's door -> a click in state, segment, trigger and report, and for whom."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.line_webhooks import line_user_id
from tests.support.pipeline import CLUSTER, Pipeline, open_pipeline
from tests.support.shop_events import line_subject, ordered
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.answers import Answer
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.redirect import take_click
from todoke_ingest.requests import DoorRequest
from todoke_scheduler.adapters.clicks import Clicks
from todoke_scheduler.adapters.reporting import report
from todoke_scheduler.domain.report import Messages
from todoke_shared.accounts import load_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import OUTCOMES
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GO = "https://go.shop.example"
PHONE = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari Line/14.7"}
PAGE = "https://shop.example/orders/H-1"
CLICKERS = Segment(segment="clickers", when={"clicks": {"within": "7d", "at_least": 1}})


def campaign(name: str, text: str, **told: Any) -> Campaign:
    """One message of one text."""
    messages = {"text": [{"type": "text", "text": text}]}
    return Campaign.model_validate(
        {"campaign": name, "class": "marketing", "steps": [{"send": "text"}], "messages": messages, **told}
    )


ORDER = campaign(
    "order",
    "ご注文はこちら：https://shop.example/orders/{{ event.order_id }}",
    **{"class": "transactional", "enter": {"on": "order.placed", "per": "order"}},
)
KEEN = campaign("keen", "いつもありがとうございます", enter={"on": "segment.entered", "segment": "clickers"})
HEARD = campaign(
    "heard", "ご覧いただきました", enter={"on": "custom.link.clicked", "when": {"event.campaign": "order"}}
)
SALE = campaign("sale", "春のセール https://shop.example/sale", enter={"on": "order.placed"}, links="message")


@dataclass
class World:
    """A pipeline, and the redirect's door."""

    pipeline: Pipeline
    intake: Intake
    dsn: str

    async def follow(self, link: str, *, method: str = "GET", headers: dict[str, str] = PHONE) -> Answer:
        """Somebody taps the link, and all that comes of it at this instant."""
        request = DoorRequest(b"", headers, {"token": link.removeprefix(f"{GO}/r/")}, method=method)
        answer = await take_click(self.intake, request)
        assert self.intake.redirects is not None
        self.intake.redirects.start()
        await self.intake.redirects.clicks.stop()
        await self.pipeline.settle()
        return answer

    async def step(self, published: Campaign) -> Messages:
        """What the report says of the campaign's one step, every click told to the scheduler."""
        take, topics = Clicks(self.pipeline.pool, cluster=CLUSTER).take_outcomes, self.pipeline.topics
        while batch := topics.read(OUTCOMES.name, "reports"):
            await take(batch)
            topics.done(OUTCOMES.name, "reports", batch)
        catalogue = CampaignCatalogue(self.pipeline.pool)
        await catalogue.refresh()
        latest = catalogue.latest(published.campaign)
        assert latest is not None
        [step] = (await report(self.pipeline.pool, latest, None, self.pipeline.clock.now())).steps
        return step

    def link_to(self, name: str, text: str) -> str:
        """The link in the person's one message that begins so."""
        [told] = [told for told in self.pipeline.sent_to(name) if told.startswith(text)]
        return told[told.index(GO) :]


@asynccontextmanager
async def world_of(dsn: str, *campaigns: Campaign) -> AsyncIterator[World]:
    """Hana and Ken are friends of the account."""
    async with (
        open_pipeline(dsn, NOON, campaigns=campaigns, segments=[CLICKERS], public_url=GO) as pipeline,
        await open_pool(f"{dsn}&role=todoke_ingest", application="ingest", schema="ingest", size=2) as pool,
    ):
        redirects = Redirects.on(pool, pipeline.topics)
        await pipeline.follow("hana", "ken")
        try:
            yield World(pipeline, Intake(pipeline.topics, pipeline.clock, load_config(None), redirects=redirects), dsn)
        finally:
            await redirects.stop()


@pytest.fixture
async def world(postgres_dsn: str) -> AsyncIterator[World]:
    """Campaigns that count clicks, each in its way, and such as listen."""
    async with world_of(postgres_dsn, ORDER, KEEN, HEARD, SALE) as world:
        yield world


async def test_a_click_in_a_message_is_a_persons(world: World) -> None:
    """It leads where the message said; it is state, so a segment, so a message; a trigger; and it is in the report."""
    pipeline = world.pipeline
    for name, order in (("hana", "H-1"), ("ken", "K-1")):
        await pipeline.post(ordered(line_subject(name), NOON, order, "tea"))
    link = world.link_to("hana", "ご注文はこちら：")
    assert line_user_id("hana") not in link
    assert link != world.link_to("ken", "ご注文はこちら：")
    await pipeline.run_until(NOON + MINUTE)
    answer = await world.follow(link)
    assert (answer.status, answer.headers["Location"]) == (302, PAGE)
    assert sorted(pipeline.sent_to("hana")[2:]) == ["いつもありがとうございます", "ご覧いただきました"]
    assert len(pipeline.sent_to("ken")) == 2
    step = await world.step(ORDER)
    assert (step.accepted, step.clicked, step.clickers, step.clicks) == (2, 1, 1, 1)
    await world.follow(link)
    await pipeline.run_until(NOON + 3 * MINUTE)
    await world.follow(link)
    await world.follow(link, method="HEAD")
    await world.follow(link, headers={"user-agent": "line-poker"})
    await world.follow(world.link_to("ken", "ご注文はこちら："))
    step = await world.step(ORDER)
    assert (step.accepted, step.clicked, step.clickers, step.clicks) == (2, 2, 2, 3)


async def test_a_person_who_clicks_in_two_messages_is_one(world: World) -> None:
    """Two orders, two messages of one step, one reader."""
    pipeline = world.pipeline
    for number in (1, 2):
        await pipeline.run_until(NOON + number * MINUTE)
        await pipeline.post(ordered(line_subject("hana"), NOON + number * MINUTE, f"H-{number}", "tea"))
    links = [text[text.index(GO) :] for text in pipeline.sent_to("hana") if text.startswith("ご注文")]
    assert len(set(links)) == 2
    await pipeline.run_until(NOON + 5 * MINUTE)
    for link in links:
        await world.follow(link)
    step = await world.step(ORDER)
    assert (step.clicked, step.clickers, step.clicks) == (2, 1, 2)


async def test_a_shared_link_counts_for_the_step_and_for_nobody(world: World) -> None:
    """Both have the same link; each time counts, no segment is entered, and the report has them without people."""
    pipeline = world.pipeline
    for name in ("hana", "ken"):
        await pipeline.post(ordered(line_subject(name), NOON, name, "tea"))
    link = world.link_to("hana", "春のセール")
    assert link == world.link_to("ken", "春のセール")
    await pipeline.run_until(NOON + MINUTE)
    for _ in range(3):
        answer = await world.follow(link)
        assert answer.headers["Location"] == "https://shop.example/sale"
    assert len(pipeline.sent_to("hana")) == len(pipeline.sent_to("ken")) == 2
    step = await world.step(SALE)
    assert (step.accepted, step.clicked, step.clickers, step.clicks) == (2, 0, 0, 3)
    assert not any(topic.endswith(".dlq") for topic in pipeline.topics.logs)
    told = [json.loads(record.value or b"") for record in pipeline.topics.logs[OUTCOMES.name]]
    clicked = [one for one in told if one["state"] == "clicked"]
    assert [(one["campaign"], one["step"], "message" in one, "person" in one) for one in clicked] == [
        ("sale", "text", False, False)
    ] * 3


async def test_a_host_that_an_event_names_gets_no_link_of_ours(postgres_dsn: str) -> None:
    """The message goes out with the address as the event had it: whoever writes events cannot use our redirect."""
    bait = campaign("bait", "{{ event.note }}", enter={"on": "custom.noted"})
    async with world_of(postgres_dsn, bait) as world:
        noted = {
            **ordered(line_subject("hana"), NOON, "H-1", "tea"),
            "type": "custom.noted",
            "data": {"note": "https://evil.example/login"},
        }
        await world.pipeline.post(noted)
        assert world.pipeline.sent_to("hana") == ["https://evil.example/login"]
        links = "SELECT count(*) FROM dispatcher.published_links"
        async with await open_pool(postgres_dsn, application="t", schema="dispatcher", size=1) as pool:
            assert await pool.fetchval(links) == 0
