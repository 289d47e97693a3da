"""Tracked links from the dispatcher's table to ingest's redirect, on PostgreSQL, with and without Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.support.ingest_server import serving, until
from todoke_dispatcher.adapters.links import MessageLink, NewLink, listed, store
from todoke_ingest.adapters.links import in_postgres
from todoke_ingest.settings import IngestSettings
from todoke_local.cli import app
from todoke_local.ports import free_port
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.errors import SlowDownError
from todoke_shared.ids import click_id
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
WAITS_FOR_KAFKA = 2.0
BROWSER = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari Line/14.7"}


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The dispatcher's schema."""
    async with await open_pool(postgres_dsn, application="links-test", schema="dispatcher", size=4) as pool:
        yield pool


def in_message(message: UUID, place: int, destination: str, *, person: UUID | None = None) -> NewLink:
    """A link of a reminder."""
    of = MessageLink(message, place, "main", "marketing", person, UUID(int=9))
    return NewLink(destination, campaign="cart-abandonment", step="first-reminder", message=of)


async def put(pool: Pool, *links: NewLink) -> list[str]:
    """Store links in a transaction of their own."""
    async with pool.acquire() as connection, connection.transaction():
        return await store(connection, links, NOW)


async def test_a_retry_finds_the_tokens_it_has(pool: Pool) -> None:
    """Each place of a message has one token for ever, also when two dispatchers store them at once."""
    message = uuid4()
    links = [in_message(message, place, f"https://shop.example/{place}") for place in range(3)]
    first = await put(pool, *links)
    assert len(set(first)) == 3
    assert await put(pool, *reversed(links)) == first[::-1]
    other = [in_message(uuid4(), place, "https://shop.example/") for place in range(50)]
    a, b = await asyncio.gather(put(pool, *other), put(pool, *reversed(other)))
    assert a == b[::-1]
    assert await pool.fetchval("SELECT count(*) FROM links") == 53


async def test_a_message_rendered_anew_leads_to_its_newest_destination(pool: Pool) -> None:
    """Until its body is stored a message may change; its link keeps the token and follows."""
    message = uuid4()
    [token] = await put(pool, in_message(message, 0, "https://shop.example/old"))
    assert await put(pool, in_message(message, 0, "https://shop.example/new")) == [token]
    [link] = await in_postgres(pool)([token])
    assert link.destination == "https://shop.example/new"


async def test_links_of_no_message_are_each_their_own(pool: Pool) -> None:
    """Two posters with one destination are two links; the list shows them and no message's."""
    poster = NewLink("https://shop.example/spring", campaign="spring", expires_at=NOW + timedelta(days=9))
    tokens = await put(pool, poster, poster, in_message(uuid4(), 0, "https://shop.example/"))
    assert len(set(tokens)) == 3
    async with pool.acquire() as connection:
        found = await listed(connection, 10)
    assert {link.token for link in found} == set(tokens[:2])
    assert {(link.destination, link.campaign, link.expires_at) for link in found} == {
        (poster.destination, "spring", poster.expires_at)
    }


async def test_a_destination_that_was_never_checked_cannot_be_a_token(pool: Pool) -> None:
    """PostgreSQL itself keeps out what no redirect could look up, and a message's link without its account."""
    insert = "INSERT INTO links (token, destination, shop, created_at) VALUES ($1, 'https://a.example', 'main', now())"
    for bad in ("short", "a" * 23, "../../../../etc/passwd", "ａ" * 22):
        with pytest.raises(asyncpg.CheckViolationError):
            await pool.execute(insert, bad)


async def test_ingest_looks_links_up_in_its_own_role(pool: Pool, postgres_dsn: str) -> None:
    """Through the published view, with all that a click tells, and nothing of the ledger."""
    person, message = uuid4(), uuid4()
    tokens = await put(
        pool, in_message(message, 0, "https://shop.example/", person=person), NewLink("https://b.example")
    )
    dsn = f"{postgres_dsn}{'&' if '?' in postgres_dsn else '?'}role=todoke_ingest"
    async with await open_pool(dsn, application="test", schema="ingest", size=1) as ingest:
        found = {link.token: link for link in await in_postgres(ingest)([*tokens, "x" * 22])}
        assert set(found) == set(tokens)
        of = found[tokens[0]].message
        assert of is not None
        assert (of.message, of.person, of.account, of.lane, of.enrolment) == (
            *(message, person, "main", "marketing"),
            UUID(int=9),
        )
        assert found[tokens[1]].message is None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ingest.fetch("SELECT * FROM dispatcher.links")


async def test_a_lookup_says_slow_down_when_postgresql_is_gone(pool: Pool) -> None:
    """Whatever the driver raises: nobody is told that a link does not exist because PostgreSQL does not."""
    await pool.execute("DROP VIEW published_links")
    with pytest.raises(SlowDownError):
        await in_postgres(pool)(["x" * 22])


async def test_a_click_is_redirected_and_kept_while_kafka_is_away(pool: Pool, postgres_dsn: str) -> None:
    """A whole ingest with no Kafka anywhere: the answer comes at once, and the click lies in the spool."""
    person = uuid4()
    [token] = await put(pool, in_message(uuid4(), 0, "https://shop.example/cart", person=person))
    settings = IngestSettings(
        kafka_bootstrap_servers=f"127.0.0.1:{free_port()}",
        postgres_dsn=postgres_dsn,
        ingest_port=free_port(),
        acknowledge_seconds=WAITS_FOR_KAFKA,
    )
    async with serving(settings) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready)
        started = time.perf_counter()
        answer = await client.get(f"/r/{token}", headers=BROWSER)
        took = time.perf_counter() - started
        assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/cart")
        assert took < WAITS_FOR_KAFKA, "it waited for Kafka"

        async def spooled() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM ingest.outbox"))

        await until(spooled)
    row = await pool.fetchrow("SELECT topic, key, value FROM ingest.outbox")
    assert row is not None
    outcome = Outcome.from_json(row["value"])
    assert (row["topic"], row["key"]) == ("message.outcomes.v1", str(person).encode())
    assert outcome.id in {click_id(token, outcome.at), click_id(token, outcome.at - timedelta(minutes=1))}


def run(*arguments: str) -> tuple[int, str, str]:
    """A `todoke` command in this process: its end, what it printed, and what went wrong."""
    result = CliRunner().invoke(app, ["links", *arguments])
    return result.exit_code, result.stdout, f"{result.stderr}{result.exception or ''}"


async def test_an_operator_makes_a_link_for_a_poster(
    pool: Pool, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address alone is printed, and it leads; the list has it; a destination that is none makes no link."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("TODOKE_PUBLIC_URL", "https://go.shop.example")
    monkeypatch.setenv("COLUMNS", "300")
    create = ("create", "https://shop.example/spring", "--campaign", "spring", "--step", "poster", "--expires", "90d")
    code, address, _ = await asyncio.to_thread(run, *create)
    assert code == 0
    base, _, token = address.strip().rpartition("/")
    assert base == "https://go.shop.example/r"
    [link] = await in_postgres(pool)([token])
    assert (link.destination, link.campaign, link.step) == ("https://shop.example/spring", "spring", "poster")
    assert link.expires_at is not None
    assert timedelta(days=89) < link.expires_at - datetime.now(UTC) <= timedelta(days=90)
    code, table, _ = await asyncio.to_thread(run, "list")
    assert code == 0
    assert address.strip() in table
    code, printed, wrong = await asyncio.to_thread(run, "create", "//evil.example")
    assert (code, printed) == (1, "")
    assert "https://" in wrong
    assert await pool.fetchval("SELECT count(*) FROM links") == 1
