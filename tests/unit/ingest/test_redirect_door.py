"""GET /r/{token}: it leads where the link was written to lead, whoever asks; and a person's click is told once."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.support.doors import Doors
from tests.support.waiting import as_far_as_it_gets
from tests.unit.ingest.stand_ins import NOW, CheckedTopics, config, opener
from tests.unit.ingest.test_ingest_app import client_of
from todoke_ingest.adapters import clicks as clicks_module
from todoke_ingest.adapters.clicks import Clicks
from todoke_ingest.adapters.links import FRESH_SECONDS, MOST_WAITING, UNKNOWN_SECONDS, Links
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.domain.clicks import Link, MessageOfLink
from todoke_ingest.handlers.intake import Intake
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.ec_events import EcEvent, check_event
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.topics import EC_EVENTS, OUTCOMES
from todoke_shared.errors import SlowDownError

BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 Safari Line/14.7.0"
)
PERSON, MESSAGE = UUID(int=1), UUID(int=2)
IN_MESSAGE = Link(
    token="a" * 22,
    destination="https://shop.example/cart",
    shop="main",
    campaign="cart-abandonment",
    step="first-reminder",
    message=MessageOfLink(MESSAGE, "main", "marketing", PERSON, UUID(int=3)),
    expires_at=None,
)
ON_POSTER = Link("b" * 22, "https://shop.example/spring", "main", "spring", "poster", None, NOW + timedelta(days=1))


class Stored:
    """The dispatcher's links, and every question asked about them."""

    def __init__(self, *links: Link) -> None:
        self.links = {link.token: link for link in links}
        self.asked: list[list[str]] = []
        self.away = False

    async def look_up(self, tokens: Sequence[str]) -> Iterable[Link]:
        """SlowDownError while `away`."""
        self.asked.append(list(tokens))
        await asyncio.sleep(0)
        if self.away:
            raise SlowDownError("PostgreSQL is away")
        return [self.links[token] for token in tokens if token in self.links]


class Seconds:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.value = 1000.0

    def __call__(self) -> float:
        return self.value


class World:
    """A running ingest with links, its browser, and the parts to meddle with."""

    def __init__(self) -> None:
        self.stored = Stored(IN_MESSAGE, ON_POSTER)
        self.topics = CheckedTopics()
        self.clock = FakeClock(NOW)
        self.seconds = Seconds()
        self.redirects = Redirects(Links(self.stored.look_up, self.seconds), Clicks(self.topics))
        self.door = Doors(Intake(self.topics, self.clock, config(), redirects=self.redirects))
        self.client = httpx.AsyncClient()

    async def get(self, token: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Follow a link as a browser does, but no further than our answer."""
        with_browser = {"user-agent": BROWSER, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return await self.client.request(method, f"/r/{token}", headers=with_browser)

    async def told(self) -> list[dict[str, object]]:
        """What has left for Kafka."""
        await as_far_as_it_gets()
        return self.topics.values()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An ingest that is ready."""
    world = World()
    world.redirects.start()
    async with client_of(opener(world.door)) as client:
        await world.client.aclose()
        world.client = client
        yield world
    await world.redirects.stop()


async def test_a_click_on_a_messages_link_leads_on_and_is_an_outcome(world: World) -> None:
    """302 to the stored destination, kept by nobody; `clicked` with all that the message was, under its person."""
    answer = await world.get(IN_MESSAGE.token)
    assert (answer.status_code, answer.headers["location"]) == (302, IN_MESSAGE.destination)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    await world.told()
    [record] = world.topics.records
    outcome = Outcome.from_json(record.value)
    assert (record.topic, record.key) == (OUTCOMES.name, str(PERSON).encode())
    assert (outcome.state, outcome.message, outcome.person, outcome.at) == ("clicked", MESSAGE, PERSON, NOW)
    assert (outcome.campaign, outcome.step, outcome.url) == (
        "cart-abandonment",
        "first-reminder",
        IN_MESSAGE.destination,
    )
    assert (outcome.account, outcome.lane, outcome.enrolment) == ("main", "marketing", UUID(int=3))


async def test_a_double_tap_is_one_click_and_a_later_look_another(world: World) -> None:
    """Within one minute of the clock the outcome has the same id; a minute on, a new one."""
    await world.get(IN_MESSAGE.token)
    world.clock.move_to(NOW + timedelta(seconds=59))
    await world.get(IN_MESSAGE.token)
    world.clock.move_to(NOW + timedelta(seconds=60))
    await world.get(IN_MESSAGE.token)
    ids = [value["id"] for value in await world.told()]
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]


async def test_a_click_on_a_link_that_all_copies_share_is_nobodys(world: World) -> None:
    """An outcome of its campaign and step, without message and person; each time counts, since many follow it."""
    shared = replace(
        IN_MESSAGE, token="s" * 22, message=MessageOfLink(None, "main", "marketing", None, None), campaign="sale"
    )
    world.stored.links[shared.token] = shared
    for _ in range(2):
        assert (await world.get(shared.token)).status_code == 302
    await world.told()
    first, second = (Outcome.from_json(record.value) for record in world.topics.records)
    assert (first.state, first.message, first.person, first.enrolment) == ("clicked", None, None, None)
    assert (first.campaign, first.step, first.account, first.lane) == ("sale", "first-reminder", "main", "marketing")
    assert first.id != second.id
    assert {record.topic for record in world.topics.records} == {OUTCOMES.name}


async def test_a_click_on_a_posters_link_is_an_event_of_the_link(world: World) -> None:
    """Everybody's click counts, and none of them makes a person: the link itself is the subject."""
    await world.get(ON_POSTER.token)
    await world.get(ON_POSTER.token)
    await world.told()
    events = [EcEvent.from_json(record.value) for record in world.topics.records]
    assert {record.topic for record in world.topics.records} == {EC_EVENTS.name}
    assert [check_event(event) and event.type for event in events] == ["custom.link.clicked"] * 2
    assert {event.subject for event in events} == {f"visitor:link:{ON_POSTER.token}"}
    assert events[0].id != events[1].id
    assert events[0].data == {
        "link": ON_POSTER.token,
        "url": ON_POSTER.destination,
        "campaign": "spring",
        "step": "poster",
    }


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"user_agent": "facebookexternalhit/1.1;line-poker/1.0"}),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; Linespider/1.1; +https://lin.ee/4dwXkTH)"}),
        ("GET", {"user_agent": "Twitterbot/1.0"}),
        ("GET", {"user_agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}),
        ("GET", {"user_agent": "WhatsApp/2.23.20.0"}),
        ("GET", {"user_agent": "curl/8.5.0"}),
        ("GET", {"user_agent": ""}),
        ("GET", {"purpose": "prefetch"}),
        ("GET", {"sec_purpose": "prefetch;prerender"}),
        ("GET", {"x_purpose": "preview"}),
        ("GET", {"x_moz": "prefetch"}),
    ],
)
async def test_who_only_looks_ahead_is_led_on_and_not_counted(
    world: World, method: str, headers: dict[str, str]
) -> None:
    """Messengers' previews, robots, and browsers that fetch before anybody has tapped."""
    answer = await world.get(IN_MESSAGE.token, method, **headers)
    assert (answer.status_code, answer.headers["location"]) == (302, IN_MESSAGE.destination)
    assert await world.told() == []


@pytest.mark.parametrize(
    "agent",
    [
        BROWSER,
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
        "Chrome/125.0 Mobile Safari/537.36 Line/14.7.0/IAB",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Mobile "
        "Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Mobile/15E148 YJApp-IOS jp.co.yahoo.ipn.appli/4.140.0",
    ],
)
async def test_people_are_counted_in_line_and_in_any_browser(world: World, agent: str) -> None:
    """LINE's own browser above all; and a telephone called Cubot is no robot."""
    await world.get(IN_MESSAGE.token, user_agent=agent)
    assert len(await world.told()) == 1


@pytest.mark.parametrize(
    "token", ["c" * 22, "a" * 21, "a" * 23, "%2e%2e", "https:", "a" * 22 + "%00", "ａ" * 22, "a" * 5000, "'; --"]
)
async def test_no_link_is_404_in_plain_words(world: World, token: str) -> None:
    """A page in Japanese and English, and no event; what cannot be a token asks nobody."""
    answer = await world.get(token)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "リンクが見つかりません" in answer.text
    assert "expired" in answer.text
    assert await world.told() == []
    assert world.stored.asked == ([["c" * 22]] if token == "c" * 22 else [])


async def test_a_link_ends_when_its_time_is_over(world: World) -> None:
    """To the second, though it is still in memory."""
    assert ON_POSTER.expires_at is not None
    world.clock.move_to(ON_POSTER.expires_at - timedelta(seconds=1))
    assert (await world.get(ON_POSTER.token)).status_code == 302
    world.clock.move_to(ON_POSTER.expires_at)
    assert (await world.get(ON_POSTER.token)).status_code == 404
    assert len(await world.told()) == 1


@pytest.mark.parametrize(
    "query", ["url=https://evil.example", "next=//evil.example", "r=https%3A%2F%2Fevil.example&u=1", "%0d%0aLocation:x"]
)
async def test_nothing_of_the_request_is_part_of_the_destination(world: World, query: str) -> None:
    """No open redirect: neither a query nor a host nor a forwarding header changes where it leads."""
    headers = {"user-agent": BROWSER, "host": "evil.example", "x-forwarded-host": "evil.example"}
    answer = await world.client.get(f"/r/{IN_MESSAGE.token}?{query}", headers=headers)
    assert answer.headers["location"] == IN_MESSAGE.destination
    assert "evil" not in str(answer.headers)
    unknown = await world.client.get(f"/r/{'c' * 22}?{query}", headers=headers)
    assert unknown.status_code == 404
    assert "evil" not in unknown.text + str(unknown.headers)


async def test_guessing_costs_no_query_each(world: World) -> None:
    """A thousand guesses at once are a handful of questions, and a repeated one none for some seconds."""
    guesses = [f"{number:022d}" for number in range(1000)]
    answers = await asyncio.gather(*(world.get(guess) for guess in guesses))
    assert {answer.status_code for answer in answers} == {404}
    assert len(world.stored.asked) <= 4
    asked = len(world.stored.asked)
    await asyncio.gather(*(world.get(guess) for guess in guesses))
    assert len(world.stored.asked) == asked
    world.seconds.value += UNKNOWN_SECONDS + 1
    await world.get(guesses[0])
    assert len(world.stored.asked) == asked + 1


async def test_a_link_just_stored_is_found_though_it_was_guessed_before(world: World) -> None:
    """Not before it is given out, but at most some seconds after."""
    new = replace(IN_MESSAGE, token="n" * 22)
    assert (await world.get(new.token)).status_code == 404
    world.stored.links[new.token] = new
    world.seconds.value += UNKNOWN_SECONDS + 0.1
    assert (await world.get(new.token)).status_code == 302


async def test_a_known_link_is_looked_up_once_a_minute(world: World) -> None:
    """So that a person who is erased is soon named no more; and a link that is gone leads nowhere."""
    for _ in range(3):
        await world.get(IN_MESSAGE.token)
    assert len(world.stored.asked) == 1
    del world.stored.links[IN_MESSAGE.token]
    world.seconds.value += FRESH_SECONDS
    assert (await world.get(IN_MESSAGE.token)).status_code == 404


async def test_without_postgresql_what_is_known_leads_on_and_the_rest_is_503(world: World) -> None:
    """However long it is away; the page asks to come again, and nothing is remembered as unknown."""
    await world.get(IN_MESSAGE.token)
    world.stored.away = True
    world.seconds.value += 10 * FRESH_SECONDS
    assert (await world.get(IN_MESSAGE.token)).status_code == 302
    answer = await world.get(ON_POSTER.token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "ただいまつながりません" in answer.text
    world.stored.away = False
    assert (await world.get(ON_POSTER.token)).status_code == 302


async def test_too_many_guesses_at_once_are_told_to_wait() -> None:
    """What waits for PostgreSQL is bounded, whoever asks."""
    never = asyncio.Event()

    async def look_up(tokens: Sequence[str]) -> Iterable[Link]:
        await never.wait()
        return []

    links = Links(look_up)
    waiting = [asyncio.create_task(links.find(f"{number:022d}")) for number in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(SlowDownError):
        await links.find("z" * 22)
    await links.close()
    assert all(isinstance(error, SlowDownError) for error in await asyncio.gather(*waiting, return_exceptions=True))


async def test_a_redirect_waits_for_no_kafka_and_its_click_is_told_later(world: World) -> None:
    """While nothing takes the clicks they wait in order, and go when something does."""
    world.topics.away = True
    async with asyncio.timeout(1):
        answers = [await world.get(IN_MESSAGE.token), await world.get(ON_POSTER.token)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert await world.told() == []
    world.topics.away = False
    await world.redirects.clicks.stop()
    assert [record.topic for record in world.topics.records] == [OUTCOMES.name, EC_EVENTS.name]


async def test_clicks_beyond_what_memory_keeps_are_counted_as_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The redirect is answered all the same."""
    monkeypatch.setattr(clicks_module, "MOST_WAITING", 3)
    monkeypatch.setattr(clicks_module, "FLUSH_SECONDS", 0.05)
    before = REGISTRY.get_sample_value("todoke_clicks_lost_total") or 0
    world.topics.away = True
    for _ in range(5):
        assert (await world.get(IN_MESSAGE.token)).status_code == 302
    assert REGISTRY.get_sample_value("todoke_clicks_lost_total") == before + 2
    await world.redirects.clicks.stop()
    assert REGISTRY.get_sample_value("todoke_clicks_lost_total") == before + 5


async def test_a_stop_lets_the_clicks_in_hand_leave(world: World) -> None:
    """What was clicked the moment before the stop is told."""
    for _ in range(20):
        await world.get(ON_POSTER.token)
    await world.redirects.stop()
    assert len([json.loads(record.value or b"") for record in world.topics.records]) == 20
