"""Links of messages on a real PostgreSQL: each body goes out with tokens that lead, whoever dies, retries or races."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.deliveries import NOON, crowd, message_named, record, request, user_named
from tests.support.dispatching import Bench, open_bench
from tests.unit.shared.campaign_files import SMALL
from todoke_dispatcher import linking
from todoke_dispatcher.adapters import deliveries, units
from todoke_dispatcher.adapters.links import NewLink, listed, store
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.adapters.units import Unit
from todoke_dispatcher.domain.links import TOKEN_LENGTH
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.domain.units import MOST_A_MONTH, unit_name
from todoke_ingest.adapters.links import in_postgres
from todoke_ingest.domain.clicks import Link, MessageOfLink
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import Lane, MessageRequest, TemplateRef
from todoke_shared.ids import outcome_id
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection

GO = "https://go.shop.example"
BUTTON = {"type": "uri", "label": "見る", "uri": "https://shop.example/{{ page }}"}
MESSAGES: dict[str, Any] = {
    "hello": [
        {"type": "text", "text": "{{ page }}は https://shop.example/{{ page }} です"},
        {"type": "template", "altText": "a", "template": {"type": "buttons", "text": "a", "actions": [BUTTON]}},
    ],
    "plain": [{"type": "text", "text": "こんにちは"}],
}
STEPS = [{"send": "hello"}, {"send": "plain"}]
CAMPAIGNS = [
    Campaign.model_validate({**SMALL, "campaign": per, "links": per, "steps": STEPS, "messages": MESSAGES})
    for per in ("person", "message", "off")
]


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger of this test's own, and a campaign for each way to count."""
    async with open_bench(postgres_dsn) as bench:
        async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler:
            await publish(scheduler, CAMPAIGNS)
        yield bench


def owed(name: str, campaign: str, *, message: str = "hello", page: str = "tea") -> MessageRequest:
    """A message of a campaign."""
    of = TemplateRef(campaign=campaign, version=1, message=message, variables={"page": page})
    run, person = message_named("run"), message_named(name)
    return request(name, template=of, campaign=campaign, step=message, enrolment=run, person=person)


def links_of(body: bytes) -> list[str]:
    """The text's link and the button's."""
    text, template = json.loads(body)["messages"]
    return [str(text["text"].split()[1]), str(template["template"]["actions"][0]["uri"])]


def token_of(link: str) -> str:
    """What stands behind `/r/`."""
    base, _, token = link.rpartition("/")
    assert (base, len(token)) == (f"{GO}/r", TOKEN_LENGTH)
    return token


async def leads(bench: Bench, body: bytes) -> list[Link]:
    """What ingest finds behind a body's links, in order."""
    tokens = [token_of(link) for link in links_of(body)]
    found = {link.token: link for link in await in_postgres(bench.pool)(tokens)}
    return [found[token] for token in tokens]


async def stored(bench: Bench) -> int:
    """How many links there are."""
    number: int = await bench.pool.fetchval("SELECT count(*)::int FROM links")
    return number


async def test_each_person_has_links_of_their_own(bench: Bench) -> None:
    """Two messages of the same words: four tokens, each with the message, its person, campaign and step."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=GO)
    await bench.take(dispatcher, owed("hana", "person"), owed("ken", "person"))
    await bench.take(dispatcher, owed("order", "person"), lane="transactional")
    assert await dispatcher.send_some() == 3
    assert await stored(bench) == 6
    for taken in line.accepted:
        name = next(name for name in ("hana", "ken", "order") if user_named(name) == taken.to[0])
        lane: Lane = "transactional" if name == "order" else "marketing"
        of = MessageOfLink(message_named(name), "main", lane, message_named(name), message_named("run"))
        for link in await leads(bench, taken.body):
            assert (link.destination, link.message) == ("https://shop.example/tea", of)
            assert (link.campaign, link.step, link.shop) == ("person", "hello", "main")
        assert user_named(name).encode() not in b"".join(link.encode() for link in links_of(taken.body))
    async with bench.pool.acquire() as connection:
        assert await listed(connection, 10) == []


async def test_a_retry_sends_the_same_tokens(bench: Bench) -> None:
    """Body and links are one transaction: another dispatcher that takes the message over finds both."""
    line = MemoryLine(faults=deque(["server_error", "reset_after_accept"]))
    dispatcher = bench.dispatcher(line, public_url=GO)
    await bench.take(dispatcher, owed("hana", "person"))
    await dispatcher.claim(10)
    assert await stored(bench) == 2
    bench.clock.move_to(bench.clock.wall() + timedelta(seconds=16))
    survivor = bench.dispatcher(line, public_url="https://another.shop.example")
    for _ in range(3):
        await survivor.send_some()
        bench.clock.move_to(bench.clock.wall() + timedelta(minutes=1))
    assert len({body for _, body in line.requests}) == 1
    assert len(line.requests) == 3
    assert [link.destination for link in await leads(bench, line.accepted[0].body)] == ["https://shop.example/tea"] * 2


async def test_a_message_that_is_sent_again_keeps_its_tokens(bench: Bench) -> None:
    """An operator's decision makes it a new message to LINE; the customer's old links are the new ones."""
    line = MemoryLine(faults=deque(["reset"]))
    dispatcher = bench.dispatcher(line, public_url=GO)
    await bench.take(dispatcher, owed("hana", "person"))
    await dispatcher.send_some()
    bench.clock.move_to(NOON + timedelta(days=1))
    assert await dispatcher.send_some() == 1
    async with bench.pool.acquire() as connection:
        assert await deliveries.resend(connection, [message_named("hana")], bench.clock.wall())
    assert await dispatcher.send_some() == 1
    (_, first), (_, second) = line.requests
    assert links_of(first) == links_of(second)
    assert await stored(bench) == 2


async def test_what_stands_still_or_finds_no_slot_loses_no_token(bench: Bench) -> None:
    """A month that is used up: no link is stored. A full rate: the next claim sends what was stored."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=GO, monthly_limit=1, transactional_reserve=0, push_rate=10)
    await bench.take(dispatcher, *(owed(name, "person") for name in ("a", "b")))
    while await dispatcher.send_some():
        pass
    assert (await bench.states(), await stored(bench)) == ({"accepted": 1, "held": 1}, 2)
    unlimited = bench.dispatcher(line, public_url=GO, push_rate=10)
    await bench.take(unlimited, *(owed(name, "person") for name in ("c", "d", "e")))
    for _ in range(12):
        await unlimited.send_some()
        bench.clock.move_to(bench.clock.wall() + timedelta(milliseconds=300))
    assert await bench.states() == {"accepted": 5}
    assert await stored(bench) == 10
    for taken in line.accepted:
        assert len(await leads(bench, taken.body)) == 2


async def test_a_claim_stores_its_links_in_one_statement(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages it is."""
    calls: list[int] = []

    async def counting(connection: Connection, links: Sequence[NewLink], now: datetime) -> list[str]:
        calls.append(len(links))
        return await store(connection, links, now)

    monkeypatch.setattr(linking, "store", counting)
    dispatcher = bench.dispatcher(MemoryLine(), public_url=GO)
    await bench.take(dispatcher, *(owed(f"m{number}", "person") for number in range(50)), lane="transactional")
    assert await dispatcher.send_some() == 50
    assert calls == [100]


async def test_all_copies_share_their_links_and_leave_together(bench: Bench) -> None:
    """One token for each link, made once for the fleet, also by two dispatchers at the same moment."""
    line = MemoryLine()
    fleet = [bench.dispatcher(line, public_url=GO) for _ in range(2)]
    for half, dispatcher in enumerate(fleet):
        await bench.take(dispatcher, *(owed(f"m{half}-{number}", "message") for number in range(40)))
    assert sum(await asyncio.gather(*(dispatcher.send_some() for dispatcher in fleet))) == 80
    assert sum(len(taken.to) for taken in line.accepted) == 80
    assert len(line.accepted) <= 4
    assert len({tuple(links_of(taken.body)) for taken in line.accepted}) == 1
    assert await stored(bench) == 2
    for link in await leads(bench, line.accepted[0].body):
        assert link.message == MessageOfLink(None, "main", "marketing", None, None)
        assert (link.destination, link.campaign, link.step) == ("https://shop.example/tea", "message", "hello")
    async with bench.pool.acquire() as connection:
        assert await listed(connection, 10) == []


@pytest.mark.parametrize(("campaign", "requests"), [("message", 1), ("person", 6)])
async def test_a_crowd_leaves_at_once_unless_each_has_links_of_their_own(
    bench: Bench, campaign: str, requests: int
) -> None:
    """Shared links are the same for all of a crowd; a person's are not, so it is opened, and nobody gets another's."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=GO)
    of = TemplateRef(campaign=campaign, version=1, message="hello", variables={"page": "tea"})
    names = [f"c{number}" for number in range(6)]
    value = crowd(*names, template=of, campaign=campaign, step="hello").to_json()
    await dispatcher.take_requests("marketing")([record(value)])
    while await dispatcher.send_some():
        pass
    assert len(line.accepted) == requests
    assert sorted(to for taken in line.accepted for to in taken.to) == sorted(map(user_named, names))
    for taken in line.accepted:
        for link in await leads(bench, taken.body):
            assert link.message is not None
            expected = None if campaign == "message" else next(n for n in names if user_named(n) == taken.to[0])
            assert link.message.message == (expected and message_named(expected))


async def test_a_shared_link_that_leads_elsewhere_is_another(bench: Bench) -> None:
    """Copies with another page are another content, with links of its own; each later claim finds those it has."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=GO)
    pages = ["tea", "cup"]
    for round_ in range(2):
        await bench.take(dispatcher, *(owed(f"m{round_}{n}", "message", page=pages[n % 2]) for n in range(20)))
        assert await dispatcher.send_some() == 20
    assert await stored(bench) == 4
    assert sorted(len(taken.to) for taken in line.accepted) == [10] * 4
    told = {(await leads(bench, taken.body))[0].destination for taken in line.accepted}
    assert told == {f"https://shop.example/{page}" for page in pages}


@pytest.mark.parametrize(("campaign", "public_url"), [("person", None), ("off", GO)])
async def test_nothing_is_rewritten_where_nobody_asks_or_nothing_answers(
    bench: Bench, campaign: str, public_url: str | None
) -> None:
    """No public address, or `links: off`: the links are those of the file, and copies leave together."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=public_url)
    await bench.take(dispatcher, *(owed(f"m{number}", campaign) for number in range(10)))
    assert await dispatcher.send_some() == 10
    [taken] = line.accepted
    assert links_of(taken.body) == ["https://shop.example/tea"] * 2
    assert await stored(bench) == 0


async def test_another_systems_own_messages_stay_as_they_are(bench: Bench) -> None:
    """They are LINE's objects in its words, and no campaign says whose clicks to count."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, public_url=GO)
    await bench.take(dispatcher, request("one", text="https://shop.example/", campaign="erp", step="invoice"))
    assert await dispatcher.send_some() == 1
    assert json.loads(line.accepted[0].body)["messages"] == [{"type": "text", "text": "https://shop.example/"}]
    assert await stored(bench) == 0


async def test_line_counts_by_campaign_step(bench: Bench) -> None:
    """On pushes and multicasts; steps of equal words leave apart, since LINE counts them apart."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *(owed(f"m{n}", "off", message="plain") for n in range(5)))
    await bench.take(dispatcher, *(owed(f"n{n}", "message", message="plain") for n in range(4)))
    await bench.take(dispatcher, request("erp"))
    await bench.take(dispatcher, owed("order", "off", message="plain"), lane="transactional")
    assert await dispatcher.send_some() == 11
    told = {(len(taken.to), *json.loads(taken.body).get("customAggregationUnits", [])) for taken in line.accepted}
    assert told == {(5, "off__plain"), (4, "message__plain"), (1,), (1, "off__plain")}
    async with bench.pool.acquire() as connection:
        month = month_of(NOON)
        assert [(one.unit, one.campaign, one.step) for one in await units.listed(connection, month)] == [
            ("message__plain", "message", "plain"),
            ("off__plain", "off", "plain"),
        ]


async def test_no_unit_is_one_too_many(bench: Bench) -> None:
    """LINE leaves out the 1,001st of a month without a word; so do we, and go on with those that have one."""
    month = month_of(NOON)
    async with bench.pool.acquire() as connection:
        others = [Unit("main", month, "other", f"s{number}") for number in range(MOST_A_MONTH - 1)]
        assert None not in (await units.add(connection, others)).values()
        two = [Unit("main", month, "last", step) for step in ("a", "b")]
        assert sorted((await units.add(connection, two)).values(), key=str) == [None, "last__a"]
        assert await units.add(connection, [Unit("second", month, "last", "b")]) != {two[1]: None}
        assert list((await units.add(connection, others[:2])).values()) == [unit_name("other", "s0"), "other__s1"]
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, owed("hana", "off", message="plain"))
    assert await dispatcher.send_some() == 1
    assert "customAggregationUnits" not in json.loads(line.accepted[0].body)
    bench.clock.move_to(NOON + timedelta(days=20))
    await bench.take(dispatcher, owed("ken", "off", message="plain"))
    assert await dispatcher.send_some() == 1
    assert json.loads(line.accepted[1].body)["customAggregationUnits"] == ["off__plain"]


async def test_units_can_be_turned_off(bench: Bench) -> None:
    """Who counts with names of their own needs all thousand."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, aggregation_units=False)
    await bench.take(dispatcher, owed("hana", "off", message="plain"))
    assert await dispatcher.send_some() == 1
    assert "customAggregationUnits" not in json.loads(line.accepted[0].body)
    assert [told.id for told in await bench.outcomes()] == [outcome_id(message_named("hana"), "accepted")]
