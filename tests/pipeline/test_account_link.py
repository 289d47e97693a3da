"""F8: a shop's member and a LINE user become one by LINE's account link, whichever side is heard first."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from tests.support.line_webhooks import signed_event
from tests.support.pipeline import Pipeline, open_pipeline
from tests.support.shop_events import added, event, line_subject
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.campaigns.model import Campaign
from todoke_shared.people import decode_state

NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NONCE = "Zq3vB0n8tY-1kXw7Rj5sLg"
HASH = hashlib.sha256(NONCE.encode()).hexdigest()
HANA, MEMBER, TABLET = line_subject("hana"), "customer:1", "visitor:tablet"
WHO = "SELECT person_id FROM identities WHERE identifier = $1"


def says(name: str, on: str, text: str, **enter: Any) -> Campaign:
    """One message, at once."""
    return Campaign.model_validate(
        {
            "campaign": name,
            "class": "transactional",
            "enter": {"on": on, "again": "always", **enter},
            "steps": [{"send": "text"}],
            "messages": {"text": [{"type": "text", "text": text}]},
        }
    )


CAMPAIGNS = [
    says("linked", "customer.identified", "会員証とつながりました"),
    says("in-cart", "cart.item_added", "カートに入りました"),
]


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """Hana is a friend of the account; the shop knows customer 1, who looked around before on a tablet."""
    async with open_pipeline(postgres_dsn, NOON, campaigns=CAMPAIGNS) as opened:
        await opened.follow("hana")
        await opened.post(event("customer.registered", MEMBER, NOON - MINUTE, {"nickname": "花"}))
        yield opened


async def issue(pipeline: Pipeline, customer: str = MEMBER, event_id: str = "issued") -> None:
    """The shop has given the customer the nonce, a minute before LINE comes back with it."""
    told = event("customer.link_issued", customer, NOON, {"nonce_sha256": HASH}, event_id=event_id)
    assert (await pipeline.post(told)).status == 202


async def link(pipeline: Pipeline, who: str = "hana", *, result: str = "ok", minutes: int = 1, **more: Any) -> None:
    """LINE's webhook: this user came back with the nonce."""
    fields = {"type": "accountLink", "link": {"result": result, "nonce": NONCE}, **more}
    body, signature = signed_event(fields, who, NOON + minutes * MINUTE, SIMULATOR_SECRET)
    assert (await pipeline.door.take_line_webhook("main", body, signature)).status == 200
    await pipeline.settle()


async def are_one(pipeline: Pipeline, one: str, other: str) -> bool:
    """Whether two identifiers mean the same person."""
    return bool(await pipeline.people.fetchval(WHO, one) == await pipeline.people.fetchval(WHO, other))


@pytest.mark.parametrize(
    "order", list(permutations(range(3))), ids=lambda order: "-".join("swa"[step] for step in order)
)
async def test_whichever_half_comes_first_the_two_are_one(pipeline: Pipeline, order: tuple[int, int, int]) -> None:
    """Shop, webhook and something else of the member in any order: one person, one state, one message about it."""

    async def visit(opened: Pipeline) -> None:
        await opened.post(event("page.viewed", MEMBER, NOON + 2 * MINUTE, {}))

    steps: list[Callable[[Pipeline], Awaitable[None]]] = [issue, link, visit]
    await pipeline.run_until(NOON + 3 * MINUTE)
    for step in order:
        await steps[step](pipeline)
    assert await are_one(pipeline, HANA, MEMBER)
    person = await pipeline.people.fetchrow(
        "SELECT state::text AS state FROM people JOIN identities USING (person_id) WHERE identifier = $1", MEMBER
    )
    assert person is not None
    state = decode_state(person["state"])
    assert state.is_friend("main") is True
    assert state.profile["nickname"].value == "花"
    assert (state.first_seen_at, state.last_seen_at) == (NOON - MINUTE, NOON + 2 * MINUTE)
    await pipeline.post(*added(MEMBER, NOON + 3 * MINUTE, "tea"))
    assert pipeline.sent_to("hana") == ["会員証とつながりました", "カートに入りました"]


async def test_what_is_told_again_changes_nothing(pipeline: Pipeline) -> None:
    """LINE redelivers, the shop repeats itself under another id or for somebody else: the nonce is spent."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    for _ in range(2):
        await issue(pipeline)
        await link(pipeline)
    await issue(pipeline, event_id="issued again")
    await issue(pipeline, "customer:2", event_id="issued to somebody else")
    await link(pipeline, "jiro", minutes=2)
    assert pipeline.sent_to("hana") == ["会員証とつながりました"]
    assert await are_one(pipeline, HANA, MEMBER)
    assert not await are_one(pipeline, HANA, "customer:2")
    assert not await are_one(pipeline, line_subject("jiro"), MEMBER)
    links = "SELECT jsonb_array_length(links->'links') FROM identities WHERE identifier = $1"
    assert await pipeline.people.fetchval(links, HANA) == 1


async def test_a_nonce_is_of_whom_it_was_first_given_to(pipeline: Pipeline) -> None:
    """A shop that gives it away twice has made a mistake, which must not take the link from the first."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    await issue(pipeline)
    await issue(pipeline, "customer:2", event_id="issued to somebody else")
    await link(pipeline)
    assert await are_one(pipeline, HANA, MEMBER)
    assert not await are_one(pipeline, HANA, "customer:2")


@pytest.mark.parametrize(
    "answer",
    [
        {"result": "failed"},
        {"link": {"result": "ok"}},
        {"link": "ok"},
        {"link": {"result": "ok", "nonce": 5}},
        {"link": {"result": "ok", "nonce": NONCE + "x"}},
    ],
)
async def test_what_line_did_not_link_is_not_linked(pipeline: Pipeline, answer: dict[str, Any]) -> None:
    """A failed link, an answer without a nonce or with another one: two people, as before."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    await issue(pipeline)
    await link(pipeline, **answer)
    assert not await are_one(pipeline, HANA, MEMBER)
    await link(pipeline, minutes=2)
    assert await are_one(pipeline, HANA, MEMBER)


async def test_in_standby_they_are_one_and_nothing_starts(pipeline: Pipeline) -> None:
    """While another tool speaks for the account, whichever half is second."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    await link(pipeline, mode="standby")
    await issue(pipeline)
    assert await are_one(pipeline, HANA, MEMBER)
    assert pipeline.sent == []


async def test_a_line_user_of_another_member_is_this_ones_from_the_link_on(pipeline: Pipeline) -> None:
    """As a login moves a shared device: the two members stay two, the LINE user and its friendship go along."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    await pipeline.post(event("customer.identified", "customer:2", NOON - MINUTE, {"identifiers": [HANA]}))
    await link(pipeline)
    await issue(pipeline)
    assert await are_one(pipeline, HANA, MEMBER)
    assert not await are_one(pipeline, MEMBER, "customer:2")


async def test_the_nonce_itself_is_nowhere(pipeline: Pipeline) -> None:
    """In no table of the segmenter and no outbox; the shop is told not to send it."""
    await pipeline.run_until(NOON + 3 * MINUTE)
    await link(pipeline)
    await issue(pipeline)
    for table in ("account_links", "people", "identities", "outbox"):
        rows = await pipeline.people.fetch(f"SELECT t::text AS row FROM {table} t")  # noqa: S608 - of our own words
        assert [row for row in rows if NONCE in row["row"]] == []
    assert await pipeline.people.fetchval("SELECT count(*) FROM account_links WHERE nonce_sha256 = $1", HASH) == 1
    secret = {"nonce_sha256": HASH, "nonce": NONCE}
    answer = await pipeline.post(event("customer.link_issued", MEMBER, NOON, secret, event_id="told too much"))
    assert answer.status == 400
    assert NONCE not in str(answer.body)
    assert "data.nonce" in str(answer.body)
