"""F24: who clicked what in a message becomes state, segment and trigger, once for each click."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import event, line_subject, ordered
from todoke_ingest.domain.clicks import Link, MessageOfLink, outcome_of
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.topics import OUTCOMES
from todoke_shared.kafka.records import Outgoing
from todoke_shared.people import PersonState, decode_state
from todoke_shared.segments.model import Segment

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HANA = line_subject("hana")
WHO = "SELECT person_id FROM identities WHERE identifier = $1"
STATE = "SELECT state::text FROM people JOIN identities USING (person_id) WHERE identifier = $1"
SPRING = "https://shop.example/spring"


def says(name: str, text: str, enter: dict[str, object]) -> Campaign:
    """One message, at once."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": {"again": "always", **enter},
            "steps": [{"send": "text"}],
            "messages": {"text": [{"type": "text", "text": text}]},
        }
    )


CAMPAIGNS = [
    says("thanks", "ご注文ありがとうございます", {"on": "order.placed"}),
    says("spring", "春の新作です", {"on": "custom.link.clicked", "when": {"event.url": SPRING}}),
    says("keen", "いつも見てくださって", {"on": "segment.entered", "segment": "clickers"}),
]
CLICKERS = Segment(segment="clickers", when={"clicks": {"within": "7d", "at_least": 2}})


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """Hana, a friend, has ordered and been thanked: the topic already holds what the dispatcher says of it."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=CAMPAIGNS, segments=[CLICKERS]) as opened:
        await opened.follow("hana")
        await opened.post(ordered(HANA, NOON, "H-1", "tea"))
        yield opened


def click(person: UUID | None, minutes: float = 0, *, token: str = "t" * 22, shop: str = "main") -> Outcome:
    """As the redirect tells of it."""
    message = MessageOfLink(uuid4(), "main", "marketing", person, None)
    link = Link(token, SPRING, shop, "sale", "first", message, None)
    return outcome_of(link, message, NOON + minutes * MINUTE, uuid4())


async def tell(pipeline: Pipeline, *outcomes: Outcome) -> None:
    """Write to the topic, and let all come of it that can."""
    await pipeline.topics.publish([Outgoing(OUTCOMES.name, b"k", one.to_json()) for one in outcomes])
    await pipeline.settle()


async def hana(pipeline: Pipeline) -> PersonState:
    """What is known of her."""
    return decode_state(await pipeline.people.fetchval(STATE, HANA))


def clicks(state: PersonState) -> int:
    """How many are counted."""
    return sum(day.clicks for day in state.days.values())


async def test_a_click_counts_once_and_starts_what_listens(pipeline: Pipeline) -> None:
    """Told three times and tapped twice within a minute it is one; the next minute's makes two, and a segment."""
    person = await pipeline.people.fetchval(WHO, HANA)
    await pipeline.run_until(NOON + 10 * MINUTE)
    await tell(pipeline, click(person, 1), click(person, 1), click(person, 1.5))
    await tell(pipeline, click(person, 1))
    state = await hana(pipeline)
    assert (clicks(state), state.last_click_at) == (1, NOON + MINUTE)
    assert pipeline.sent_to("hana") == ["ご注文ありがとうございます", "春の新作です"]
    await tell(pipeline, click(person, 2))
    assert (clicks(await hana(pipeline)), (await hana(pipeline)).last_seen_at) == (2, NOON + 2 * MINUTE)
    assert sorted(pipeline.sent_to("hana")[2:]) == ["いつも見てくださって", "春の新作です"]


async def test_what_the_dispatcher_says_is_passed_over(pipeline: Pipeline) -> None:
    """Its own outcomes lie in the topic, an unreadable one among them: nothing counts, nothing is a dead letter."""
    assert pipeline.topics.logs[OUTCOMES.name] != []
    before = await hana(pipeline)
    await pipeline.topics.publish([Outgoing(OUTCOMES.name, b"k", b'{"state": "accepted", "id": 5}')])
    await pipeline.settle()
    assert await hana(pipeline) == before
    assert not any(topic.endswith(".dlq") for topic in pipeline.topics.logs)


async def test_a_click_of_nobody_is_nobodys(pipeline: Pipeline) -> None:
    """Another system's message has no person, an erased person no row, another shop's is not asked for."""
    person = await pipeline.people.fetchval(WHO, HANA)
    everybody = "SELECT count(*) FROM people"
    before = await pipeline.people.fetchval(everybody)
    await tell(pipeline, click(None), click(uuid4(), 1), click(person, 2, shop="other"), click(person, 3))
    assert await pipeline.people.fetchval(everybody) == before
    assert clicks(await hana(pipeline)) == 1


async def test_a_click_on_a_message_to_somebody_who_is_another_now_counts(pipeline: Pipeline) -> None:
    """The message went out under either's id; then the shop said that both are one."""
    await pipeline.post(event("page.viewed", "customer:1", NOON, {}))
    ids = [await pipeline.people.fetchval(WHO, name) for name in (HANA, "customer:1")]
    await pipeline.run_until(NOON + 10 * MINUTE)
    await pipeline.post(event("customer.identified", "customer:1", NOON + MINUTE, {"identifiers": [HANA]}))
    await tell(pipeline, *(click(person, 2, token=token * 22) for person, token in zip(ids, "ab", strict=True)))
    assert clicks(await hana(pipeline)) == 2


async def test_a_record_that_claims_to_be_a_click_and_is_none_is_set_aside(pipeline: Pipeline) -> None:
    """Nobody but ingest writes clicks; what cannot be read goes to the dead letters, and the rest flows on."""
    person = await pipeline.people.fetchval(WHO, HANA)
    await pipeline.topics.publish([Outgoing(OUTCOMES.name, b"k", b'{"state": "clicked"}')])
    await tell(pipeline, click(person))
    assert len(pipeline.topics.logs[OUTCOMES.dead_letters]) == 1
    assert clicks(await hana(pipeline)) == 1
