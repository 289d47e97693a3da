"""Who is who, in PostgreSQL: rival batches, logins in any order, a shared device, a device that is given back."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.support.identity_oracle import Told, owner, who_is
from tests.support.line_webhooks import line_user_id
from tests.support.locks import until_waiting
from tests.support.pipeline import CLUSTER
from tests.support.shop_events import added, event, line_subject, ordered
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.contacts import email_sha256
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.people import PersonState, decode_state
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HANA = line_subject("hana")
TABLET = "visitor:tablet"
WHO = "SELECT person_id FROM identities WHERE identifier = $1"
STATE = "SELECT state::text FROM people JOIN identities USING (person_id) WHERE identifier = $1"
FRIEND = "SELECT person_id FROM friend_status WHERE user_id = $1"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's own schema."""
    pool = await open_pool(postgres_dsn, application="identity-test", schema="segmenter")
    yield pool
    await pool.close()


async def segmenter_on(pool: Pool) -> Segmenter:
    """A segmenter that knows what the database knows."""
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    return Segmenter(pool, catalogue, FakeClock(NOON + timedelta(hours=1)), cluster=CLUSTER, wake=lambda: None)


def records(events: Sequence[dict[str, Any]], partition: int = 0) -> list[Record]:
    """Records of the shop's topic. Offsets do not matter here: what is new is told by identity."""
    return [Record(EC_EVENTS.name, partition, offset, b"k", dumps(one)) for offset, one in enumerate(events)]


def after(minutes: float) -> datetime:
    """So many minutes past noon."""
    return NOON + timedelta(minutes=minutes)


def login(minutes: float, member: str, *devices: str) -> dict[str, Any]:
    """The member is on these devices."""
    data = {"identifiers": list(devices)}
    return event("customer.identified", f"customer:{member}", after(minutes), data)


def logout(minutes: float, member: str, *devices: str) -> dict[str, Any]:
    """The member is no longer on them."""
    data = {"identifiers": list(devices)}
    return event("customer.unidentified", f"customer:{member}", after(minutes), data)


async def take(pool: Pool, *events: dict[str, Any], partition: int = 0) -> None:
    """One batch."""
    await (await segmenter_on(pool)).take_ec_events(records(events, partition))


async def follow(pool: Pool, name: str, minutes: float) -> None:
    """Somebody befriends the account."""
    happened = LineEvent(
        account="main",
        webhook_event_id=f"{name}-{minutes}",
        received_at=after(minutes),
        occurred_at=after(minutes),
        event={"type": "follow", "source": {"type": "user", "userId": line_user_id(name)}},
    )
    record = Record(LINE_EVENTS.name, 0, 0, b"k", happened.to_json())
    await (await segmenter_on(pool)).take_line_events([record])


async def state_of(pool: Pool, identifier: str) -> PersonState:
    """What is known of somebody."""
    return decode_state(await pool.fetchval(STATE, identifier))


def products(state: PersonState) -> list[str]:
    """What lies in the cart."""
    return [product for product, _ in state.cart.items()]


@pytest.mark.parametrize("batches", [True, False], ids=["a batch each", "one batch"])
async def test_a_shared_tablet_is_whoever_logged_in_last(pool: Pool, batches: bool) -> None:
    """Each member has what was done while they were logged in; the past before any login is the first one's."""
    story = [
        *added(TABLET, after(0), "past"),
        login(1, "a", TABLET),
        *added(TABLET, after(2), "of-a"),
        login(3, "b", TABLET),
        *added(TABLET, after(4), "of-b"),
    ]
    for batch in [[one] for one in story] if batches else [story]:
        await take(pool, *batch)
    assert products(await state_of(pool, "customer:a")) == ["past", "of-a"]
    assert products(await state_of(pool, "customer:b")) == ["of-b"]
    assert await pool.fetchval(WHO, TABLET) == await pool.fetchval(WHO, "customer:b")
    assert await pool.fetchval("SELECT linked_at FROM identities WHERE identifier = $1", TABLET) == after(3)


async def test_what_comes_late_goes_to_who_was_logged_in_then(pool: Pool) -> None:
    """An order of the member before, told after the next one's login, closes no other member's cart."""
    await take(pool, login(1, "a", TABLET), login(3, "b", TABLET), *added(TABLET, after(2.5), "of-b"))
    await take(pool, *added("customer:b", after(4), "of-b"))
    await take(pool, ordered(TABLET, after(2), "A-1", "tea"))
    assert (await state_of(pool, "customer:a")).last_order_at == after(2)
    assert (await state_of(pool, "customer:b")).last_order_at is None


async def test_a_line_user_takes_its_friendship_along(pool: Pool) -> None:
    """The account was linked to one member, and is to another: messages go to the one whose it is now, and no other."""
    await follow(pool, "hana", 0)
    await take(pool, login(1, "a", HANA), login(1, "a", TABLET))
    await take(pool, login(5, "b", HANA))
    assert (await state_of(pool, "customer:a")).is_friend("main") is None
    assert (await state_of(pool, "customer:b")).is_friend("main") is True
    assert await pool.fetchval(FRIEND, line_user_id("hana")) == await pool.fetchval(WHO, "customer:b")
    await follow(pool, "hana", 3)
    assert (await state_of(pool, "customer:a")).is_friend("main") is None
    assert await pool.fetchval(FRIEND, line_user_id("hana")) == await pool.fetchval(WHO, "customer:b")


async def test_who_is_let_go_is_a_person_of_its_own(pool: Pool) -> None:
    """With its friendship; what was known stays with the member, in whatever order it is told."""
    await follow(pool, "hana", 0)
    await take(pool, login(1, "a", HANA))
    await take(pool, *added(HANA, after(2), "before"))
    await take(pool, logout(5, "a", HANA))
    await take(pool, *added(HANA, after(6), "after"), *added(HANA, after(4), "late"))
    assert products(await state_of(pool, "customer:a")) == ["before", "late"]
    alone = await state_of(pool, HANA)
    assert products(alone) == ["after"]
    assert alone.is_friend("main") is True
    assert await pool.fetchval(FRIEND, line_user_id("hana")) == await pool.fetchval(WHO, HANA)
    assert await pool.fetchval(WHO, HANA) != await pool.fetchval(WHO, "customer:a")


async def test_an_e_mail_address_names_people_and_joins_none(pool: Pool) -> None:
    """A household's address is two members'; it finds both."""
    address = email_sha256("yamada@example.jp")
    for number, member in enumerate("ab"):
        await take(
            pool, event("customer.updated", f"customer:{member}", after(number), {"email_sha256": address, "n": member})
        )
    found = await pool.fetch("SELECT person_id FROM people WHERE shop = 'main' AND email_sha256 = $1", address)
    assert {row["person_id"] for row in found} == {await pool.fetchval(WHO, f"customer:{member}") for member in "ab"}
    assert len(found) == 2
    await take(pool, login(5, "a", "customer:b"))
    assert await pool.fetchval("SELECT count(*) FROM people WHERE email_sha256 = $1", address) == 1


def story_of(seed: int) -> list[Told]:
    """Three members, three devices, twelve logins and logouts; two of the members turn out to be one."""
    rng = random.Random(seed)
    told = []
    for minute in range(12):
        kind, member = rng.choice(["login", "login", "login", "logout"]), rng.choice("abc")
        device = rng.choice([TABLET, "visitor:phone", HANA])
        told.append(Told("login" if kind == "login" else "logout", minute, str(minute), member, device))
    if seed % 2:
        told.append(Told("same", 20, "", "a", other="b"))
    return told


def event_of(told: Told) -> dict[str, Any]:
    """What the oracle is told, as a shop tells us."""
    match told.kind:
        case "login":
            return login(told.at, told.member, told.device)
        case "logout":
            return logout(told.at, told.member, told.device)
        case "same":
            return login(told.at, told.member, f"customer:{told.other}")


async def members_of(pool: Pool, device: str) -> frozenset[str]:
    """Whose a device is, as the oracle speaks of it."""
    rows = await pool.fetch(
        "SELECT m.identifier FROM identities m JOIN identities d USING (person_id)"
        " WHERE d.identifier = $1 AND m.identifier LIKE 'customer:%'",
        device,
    )
    return frozenset(row["identifier"].removeprefix("customer:") for row in rows)


@pytest.mark.parametrize("seed", range(6))
async def test_rival_batches_in_any_order_agree_with_the_rule(pool: Pool, seed: int) -> None:
    """Logins and carts shuffled over four segmenters at once, each event by two of them: whose each device is, is the
    oracle's, each cart line is somebody's once. A deadlock is the database's to end, and the consumer's to take again.
    """
    story, rng = story_of(seed), random.Random(seed)
    told = [event_of(one) for one in story]
    told += [one for minute in range(13) for one in added(TABLET, after(minute + 0.5), f"p{minute}")]
    shares: list[list[dict[str, Any]]] = [[] for _ in range(4)]
    for one in told:
        for share in rng.sample(shares, 2):
            share.append(one)
    for share in shares:
        rng.shuffle(share)

    async def work(number: int) -> None:
        segmenter, share = await segmenter_on(pool), shares[number]
        for start in range(0, len(share), 3):
            await taking(segmenter, records(share[start : start + 3], partition=number))

    await asyncio.wait_for(asyncio.gather(*map(work, range(4))), 60)
    for device in {one.device for one in story if one.device}:
        assert await members_of(pool, device) == owner(story, device), device
    for member in {one.member for one in story}:
        assert who_is(story, member) >= await members_of(pool, f"customer:{member}") >= {member}
    carts = [decode_state(row["state"]).cart for row in await everybody(pool)]
    assert sum(len(cart.lines) for cart in carts) == 13
    await nothing_dangles(pool)


async def taking(segmenter: Segmenter, batch: list[Record]) -> None:
    """A batch, taken again where two batches waited for each other."""
    for _ in range(10):
        try:
            return await segmenter.take_ec_events(batch)
        except asyncpg.DeadlockDetectedError:
            await asyncio.sleep(0.01)
    raise AssertionError("ten deadlocks in a row")


async def everybody(pool: Pool) -> list[asyncpg.Record]:
    """All people who are somebody still."""
    return await pool.fetch("SELECT person_id, state::text AS state FROM people WHERE merged_into IS NULL")


async def nothing_dangles(pool: Pool) -> None:
    """Every identifier, friend and former person leads to somebody who is one."""
    lost = (
        "SELECT count(*) FROM (SELECT person_id FROM identities UNION SELECT person_id FROM friend_status) t"
        " LEFT JOIN people p USING (person_id) WHERE p.shop IS NULL OR p.merged_into IS NOT NULL"
    )
    assert await pool.fetchval(lost) == 0
    chains = (
        "SELECT count(*) FROM people a JOIN people b ON b.person_id = a.merged_into WHERE b.merged_into IS NOT NULL"
    )
    assert await pool.fetchval(chains) == 0


async def test_whoever_looked_before_an_identifier_moved_looks_again(pool: Pool) -> None:
    """A batch that found the tablet with the first member waits for the second's login, and then writes to that one."""
    await take(pool, login(1, "a", TABLET), *added(TABLET, after(2), "of-a"))
    async with pool.acquire() as rival, rival.transaction():
        await rival.execute("SELECT FROM people WHERE merged_into IS NULL FOR UPDATE")
        moving = asyncio.create_task(take(pool, login(3, "b", TABLET)))
        await until_waiting(pool, 1)
        adding = asyncio.create_task(take(pool, *added(TABLET, after(4), "of-b"), partition=1))
        await until_waiting(pool, 2)
    await asyncio.wait_for(asyncio.gather(moving, adding), 10)
    assert products(await state_of(pool, "customer:a")) == ["of-a"]
    assert products(await state_of(pool, "customer:b")) == ["of-b"]


async def test_everybody_whom_a_login_concerns_is_locked_in_one_order(pool: Pool) -> None:
    """Who is found through others, too: a rival that has them and wants the first ones next would wait for ever."""
    low, high = sorted(("1", "2"), key=lambda member: person_id("main", f"customer:{member}"))
    await take(pool, login(0, low, TABLET))
    await take(pool, login(1, high, TABLET))
    first, last = [await pool.fetchval(WHO, f"customer:{member}") for member in (low, high)]
    async with pool.acquire() as rival, rival.transaction():
        await rival.execute("SELECT FROM people WHERE person_id = $1 FOR UPDATE", first)
        batch = asyncio.create_task(take(pool, login(2, high, "visitor:phone")))
        await until_waiting(pool)
        await rival.execute("SELECT FROM people WHERE person_id = $1 FOR UPDATE NOWAIT", last)
    await batch
