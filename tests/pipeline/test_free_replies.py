"""A conversation costs nothing: welcome, answers and survey leave as replies, and what waits rides along."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.pipeline import CAMPAIGNS, Pipeline, open_pipeline
from tests.support.shop_events import event, line_subject
from todoke_dispatcher.domain.reply import IDLE
from todoke_local.report_words import sentences
from todoke_scheduler.adapters.coupons import add_codes
from todoke_scheduler.adapters.reporting import report
from todoke_shared.campaigns.asking import answer_data
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.topics import OUTCOMES

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIBRARY = Path(__file__).parents[2] / "docs" / "campaign-library"
TALKING = [
    load_campaign(CAMPAIGNS / "welcome.yaml"),
    load_campaign(LIBRARY / "faq-hours.yaml"),
    load_campaign(LIBRARY / "survey.yaml"),
]
SALE = Campaign.model_validate(
    {
        "campaign": "sale",
        "class": "marketing",
        "enter": {"on": "points.changed", "again": "always"},
        "steps": [{"send": "news"}],
        "messages": {"news": [{"type": "text", "text": "新茶が届きました"}]},
    }
)


def heard(pipeline: Pipeline) -> list[tuple[str, bool]]:
    """The first words of each message, and whether it was free."""
    return [(message.text[:6], message.free) for message in pipeline.sent]


async def taps(pipeline: Pipeline, question: str, answer: str) -> None:
    """Hana answers a question by its button."""
    await pipeline.say("hana", type="postback", postback={"data": answer_data("survey", question, answer)})


async def told(pipeline: Pipeline, campaign: str) -> Sequence[str]:
    """What `todoke report` says of a campaign."""
    catalogue = CampaignCatalogue(pipeline.pool)
    await catalogue.refresh()
    published = catalogue.latest(campaign)
    assert published is not None
    return list(sentences(await report(pipeline.pool, published, None, pipeline.clock.now()), ""))


async def test_welcome_answers_and_a_survey_cost_one_message(postgres_dsn: str) -> None:
    """The shipped campaigns as they are: only the survey's first question, a minute later, answers nothing."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=TALKING) as pipeline:
        await add_codes(pipeline.pool, "thank-you", ["ABC"])
        await pipeline.follow("hana")
        await pipeline.run_until(NOON + MINUTE)
        await taps(pipeline, "skin-type", "乾燥肌")
        pipeline.clock.move_to(NOON + 2 * MINUTE)
        await taps(pipeline, "concern", "しみ")
        pipeline.clock.move_to(NOON + 3 * MINUTE)
        await pipeline.say("hana", type="message", message={"type": "text", "id": "1", "text": "営業時間"})
        assert heard(pipeline) == [
            ("友だち追加あ", True),
            ("あなたのお肌", False),
            ("いちばん気に", True),
            ("ありがとうご", True),
            ("営業時間は ", True),
        ]
        assert pipeline.line.paid == 1
        outcomes = [Outcome.from_json(record.value) for record in pipeline.topics.logs[OUTCOMES.name]]
        assert [outcome.via for outcome in outcomes] == ["reply", "push", "reply", "reply", "reply"]
        assert (await told(pipeline, "survey"))[0] == "2 of 3 messages that LINE accepted went out as free replies."


async def test_held_marketing_goes_out_with_the_answer_to_a_question(postgres_dsn: str) -> None:
    """The month is used up: Hana's news waits until she asks, Jiro's until 20 s after he wrote, Ken's for ever."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=[*TALKING[:2], SALE], monthly_limit=0) as pipeline:
        await pipeline.follow("hana", "jiro", "ken")
        people = map(line_subject, ("hana", "jiro", "ken"))
        points = [event("points.changed", person, NOON, {"balance": 10}) for person in people]
        pipeline.clock.move_to(NOON + MINUTE)
        await pipeline.post(*points)
        assert {text for text, _ in heard(pipeline)} == {"友だち追加あ"}
        pipeline.clock.move_to(NOON + 2 * MINUTE)
        await pipeline.say("hana", type="message", message={"type": "text", "id": "1", "text": "営業時間"})
        await pipeline.say("jiro", type="message", message={"type": "text", "id": "2", "text": "こんにちは"})
        assert [text[:4] for text in pipeline.sent_to("hana")[1:]] == ["営業時間", "新茶が届"]
        assert pipeline.sent_to("jiro")[1:] == []
        pipeline.clock.move_to(NOON + 2 * MINUTE + IDLE)
        await pipeline.settle()
        assert pipeline.sent_to("jiro")[1:] == ["新茶が届きました"]
        assert pipeline.sent_to("ken")[1:] == []
        assert pipeline.line.paid == 0
        assert await told(pipeline, "sale") == [
            "2 of 2 messages that LINE accepted went out as free replies.",
            "The campaign has no `goal`: nobody can convert. Write one to learn what it earns.",
        ]
