"""Keys on real PostgreSQL, at an ingest that runs: made, rotated, revoked, limited, and never three."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.support.ingest_server import ready_ingest, until
from tests.unit.ingest.stand_ins import event
from todoke_ingest.adapters.keys import IN_FORCE_SECONDS, KeyRing
from todoke_ingest.domain.keys import Limit, hash_of, hint_of, new_key
from todoke_ingest.operator.issuing import KeyTerms, create_key, list_keys, revoke_key, rotate_key
from todoke_local.cli import app
from todoke_local.commands import keys as commands
from todoke_shared.errors import SlowDownError
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TERMS = KeyTerms(Limit(per_second=1000, burst=2000))


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Ingest's tables, as an operator's command sees them."""
    async with await open_pool(postgres_dsn, application="test", schema="ingest", size=6) as pool:
        yield pool


@pytest.fixture
async def client(kafka_bootstrap: str, postgres_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an ingest that asks for keys."""
    async with ready_ingest(kafka_bootstrap, postgres_dsn, keys="required") as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    """How a backend sends its key."""
    return {"Authorization": f"Bearer {key}"}


async def post(client: httpx.AsyncClient, key: str, **changes: object) -> int:
    """The status of an event sent with a key."""
    return (await client.post("/v1/events", json=event(**changes), headers=bearer(key))).status_code


async def in_force(client: httpx.AsyncClient, key: str) -> None:
    """Return once ingest knows the key."""

    async def taken() -> bool:
        return await post(client, key) == 202

    await until(taken)


async def end(pool: Pool, key: str) -> None:
    """As if the key's time had come a second ago."""
    await pool.execute("UPDATE keys SET expires_at = now() - interval '1 second' WHERE hint = $1", hint_of(key))


async def test_a_shop_has_two_keys_for_a_purpose_and_never_three(pool: Pool) -> None:
    """Of ten commands at once two succeed, the others are told what to do; other shops and purposes have their own."""
    tries = [create_key(pool, "main", "events", TERMS) for _ in range(10)]
    made = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, str) for one in made) == 2
    refused = [one for one in made if not isinstance(one, str)]
    assert all(isinstance(one, ValueError) and "todoke keys list" in str(one) for one in refused)
    assert await create_key(pool, "main", "segment", TERMS)
    assert await create_key(pool, "outlet", "events", TERMS)
    assert len(await list_keys(pool)) == 4


@pytest.mark.parametrize("slot", [0, 1, 2, 3, None])
async def test_the_database_itself_holds_the_limit_of_two(pool: Pool, slot: int | None) -> None:
    """Whoever writes past the commands breaks a constraint."""
    for _ in range(2):
        await create_key(pool, "main", "events", TERMS)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await pool.execute(
            "INSERT INTO keys (key_hash, hint, shop, purpose, slot, per_second, burst)"
            " VALUES ($1, 'third', 'main', 'events', $2, 1, 1)",
            hash_of(new_key("events")),
            slot,
        )


async def test_no_key_is_kept_as_it_is(pool: Pool) -> None:
    """Not in any column, as text or as bytes; its hint is all that is told of it."""
    key = await create_key(pool, "main", "events", TERMS)
    [row] = await pool.fetch("SELECT keys::text AS all_of_it, key_hash FROM keys")
    assert key not in row["all_of_it"]
    assert key.encode().hex() not in row["all_of_it"]
    assert row["key_hash"] == hash_of(key)


async def test_an_expired_key_makes_room_for_the_next(pool: Pool) -> None:
    """Nobody has to tidy up: it is not listed, and its slot is taken by the next."""
    old = [await create_key(pool, "main", "events", TERMS) for _ in range(2)]
    await end(pool, old[0])
    assert [key.hint for key in await list_keys(pool)] == [hint_of(old[1])]
    new = await create_key(pool, "main", "events", TERMS)
    assert {key.hint for key in await list_keys(pool)} == {hint_of(old[1]), hint_of(new)}


async def test_a_rotation_keeps_the_terms_and_ends_the_older_key_after_the_grace(pool: Pool) -> None:
    """The new key is like the old one, without an end; the old one has the grace's."""
    terms = KeyTerms(Limit(per_second=7, burst=9), ("https://shop.example",))
    old = await create_key(pool, "main", "browser", terms)
    rotation = await rotate_key(pool, "main", "browser", timedelta(days=7))
    older, newer = await list_keys(pool)
    assert (older.hint, newer.hint) == (hint_of(old), hint_of(rotation.key)) == (rotation.older, hint_of(rotation.key))
    assert newer.terms == older.terms == terms
    assert (older.expires_at, newer.expires_at) == (rotation.expires_at, None)
    assert timedelta(0) <= rotation.expires_at - newer.created_at - timedelta(days=7) < timedelta(seconds=5)


async def test_of_rotations_at_once_one_is_done(pool: Pool) -> None:
    """The others are told that there are two keys: a key in use never loses its place."""
    old = await create_key(pool, "main", "events", TERMS)
    grace = timedelta(hours=1)
    tries = [rotate_key(pool, "main", "events", grace) for _ in range(5)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, ValueError) for one in done) == 4
    assert hint_of(old) in {key.hint for key in await list_keys(pool)}
    with pytest.raises(ValueError, match="todoke keys revoke"):
        await rotate_key(pool, "main", "events", grace)
    with pytest.raises(ValueError, match="todoke keys create main --for browser"):
        await rotate_key(pool, "main", "browser", grace)


async def test_without_its_table_the_ring_says_what_to_do(empty_postgres_dsn: str) -> None:
    """An ingest that is newer than the database waits for `todoke migrate`."""
    async with await open_pool(empty_postgres_dsn, application="test", schema="ingest", size=1) as pool:
        with pytest.raises(SlowDownError, match="todoke migrate"):
            await KeyRing().refresh(pool)


async def test_the_shop_is_the_keys(client: httpx.AsyncClient, pool: Pool) -> None:
    """401 without a key, 403 with another door's, 400 for another shop's event; without a shop it is the key's."""
    key = await create_key(pool, "outlet", "events", TERMS)
    segment = await create_key(pool, "outlet", "segment", TERMS)
    await in_force(client, key)
    assert (await client.post("/v1/events", json=event())).status_code == 401
    assert await post(client, segment) == 403
    assert await post(client, key, shop="outlet") == 202
    answer = await client.post("/v1/events", json=[event(shop="main"), event()], headers=bearer(key))
    assert (answer.status_code, [one["field"] for one in answer.json()["refused"]]) == (207, ["shop"])


async def headers_alone(client: httpx.AsyncClient, key: str) -> bytes:
    """What is answered to a request whose body never comes."""
    url = urlsplit(str(client.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        head = f"POST /v1/events HTTP/1.1\r\nHost: in\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(3):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_who_may_not_come_in_is_told_before_a_byte_of_the_body(client: httpx.AsyncClient, pool: Pool) -> None:
    """429 with Retry-After, and 401, to the headers alone."""
    key = await create_key(pool, "main", "events", KeyTerms(Limit(per_second=1, burst=1)))
    await in_force(client, key)
    answer = await headers_alone(client, key)
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 1\r\n" in answer.lower()
    assert (await headers_alone(client, new_key("events"))).startswith(b"HTTP/1.1 401 ")


async def test_a_rotation_refuses_nobody_and_a_revocation_soon_everybody(client: httpx.AsyncClient, pool: Pool) -> None:
    """Senders with the old key go on while the new one comes; two seconds after it is revoked, it is taken no more."""
    old = await create_key(pool, "main", "events", TERMS)
    await in_force(client, old)
    statuses: set[int] = set()
    done = asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            statuses.add(await post(client, old))
            await asyncio.sleep(0.02)

    sender = asyncio.create_task(send())
    rotation = await rotate_key(pool, "main", "events", timedelta(days=7))
    await asyncio.sleep(IN_FORCE_SECONDS)  # as the command waits
    statuses |= {await post(client, rotation.key) for _ in range(20)}
    done.set()
    await sender
    assert statuses == {202}
    assert await revoke_key(pool, rotation.older) == ("main", "events")
    await asyncio.sleep(IN_FORCE_SECONDS)
    assert (await post(client, old), await post(client, rotation.key)) == (401, 202)


@asynccontextmanager
async def no_database(dsn: str, server: str) -> AsyncIterator[None]:
    """Every connection to the database ends, and no new one is let in."""
    connection = await asyncpg.connect(server)
    name = urlsplit(dsn).path.removeprefix("/")
    try:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await connection.close()


async def test_while_postgresql_is_away_known_keys_stay_good(
    kafka_bootstrap: str, postgres_dsn: str, postgres_server: str
) -> None:
    """Events are taken as before; only a request with an Idempotency-Key is told to come again."""
    async with ready_ingest(kafka_bootstrap, postgres_dsn, keys="required") as client:
        async with await open_pool(postgres_dsn, application="test", schema="ingest", size=1) as pool:
            key = await create_key(pool, "main", "events", TERMS)
        await in_force(client, key)
        once = {**bearer(key), "Idempotency-Key": "a"}
        assert (await client.post("/v1/events", json=event(), headers=once)).status_code == 202
        async with no_database(postgres_dsn, postgres_server):
            await asyncio.sleep(IN_FORCE_SECONDS)
            assert await post(client, key) == 202
            assert await post(client, new_key("events")) == 401
            began = time.monotonic()
            answer = await client.post("/v1/events", json=event(), headers=once, timeout=20)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert time.monotonic() - began < 6

        async def taken() -> bool:
            return (await client.post("/v1/events", json=event(), headers=once)).status_code == 202

        await until(taken)


async def command(*arguments: str) -> Result:
    """`todoke keys …`, apart from this test's loop."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["keys", *arguments])


async def test_the_commands_make_list_rotate_and_revoke(
    pool: Pool, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key stands alone on standard output, and in no list; words go to standard error."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(commands, "IN_FORCE_SECONDS", 0)
    made = await command("create", "main", "--for", "browser", "--origin", "https://Shop.example/", "--burst", "9")
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    assert (key.startswith("tdk_browser_"), key in made.stderr) == (True, False)
    [listed] = await list_keys(pool)
    assert (listed.hint, listed.terms) == (hint_of(key), KeyTerms(Limit(100, 9), ("https://shop.example",)))
    rotated = await command("rotate", "main", "--for", "browser", "--grace", "12h")
    assert hint_of(key) in rotated.stderr
    shown = await command("list")
    assert all(text in shown.stdout for text in (hint_of(key), hint_of(rotated.stdout.strip()), "https://shop.example"))
    assert not any(secret in shown.output for secret in (key, rotated.stdout.strip()))
    assert (await command("revoke", hint_of(key))).exit_code == 0
    assert [one.hint for one in await list_keys(pool)] == [hint_of(rotated.stdout.strip())]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "other", "--for", "events"], "there is the shop main alone"),
        (["create", "main", "--for", "events", "--origin", "https://a.example"], "browser"),
        (["create", "main", "--for", "browser", "--origin", "a.example/x"], "https://shop.example"),
        (["rotate", "main", "--for", "events"], "todoke keys create main --for events"),
        (["rotate", "main", "--for", "events", "--grace", "soon"], "30m"),
        (["revoke", "nobody"], "todoke keys list"),
    ],
)
async def test_a_command_that_cannot_be_done_says_what_to_do(
    pool: Pool, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    """A ValueError, which the `todoke` command shows as one sentence; nothing is changed."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    result = await command(*arguments)
    assert isinstance(result.exception, ValueError)
    assert told in str(result.exception)
    assert await list_keys(pool) == []


async def test_the_commands_know_a_database_without_tables(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to migrate, and not shown PostgreSQL's words."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", empty_postgres_dsn)
    result = await command("list")
    assert isinstance(result.exception, SlowDownError)
    assert "todoke migrate" in str(result.exception)
