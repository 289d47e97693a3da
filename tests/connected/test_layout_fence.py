"""Two releases of the segmenter side by side: the older one takes nothing more, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from tests.support.locks import until_waiting
from tests.support.shop_events import event
from todoke_segmenter.adapters import layout
from todoke_segmenter.adapters.layout import NewerLayoutError, claim_layout, watch_layout
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.people import LAYOUT
from todoke_shared.postgres.pool import open_pool
from todoke_shared.telemetry.health import Readiness, health_routes

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
PEOPLE = "SELECT person_id, state::text FROM people"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's own schema."""
    async with await open_pool(postgres_dsn, application="layout-test", schema="segmenter") as opened:
        yield opened


async def newer_release_starts(pool: Pool) -> None:
    """As the next release's `claim_layout` does."""
    await pool.execute("UPDATE state_layout SET layout = $1", LAYOUT + 1)


def segmenter(pool: Pool) -> Segmenter:
    """Of this release."""
    return Segmenter(pool, CampaignCatalogue(pool), FakeClock(NOON), cluster="test", wake=lambda: None)


def visit(offset: int = 0) -> Record:
    """Somebody looks at a page."""
    return Record(EC_EVENTS.name, 0, offset, None, dumps(event("page.viewed", f"visitor:{offset}", NOON, {})))


async def test_an_older_segmenter_takes_nothing_and_the_batch_comes_again(pool: Pool) -> None:
    """Neither state nor inbox nor position moves; once the number fits, the very same batch is taken."""
    await newer_release_starts(pool)
    with pytest.raises(NewerLayoutError, match="deploy that release here too"):
        await segmenter(pool).take_ec_events([visit()])
    assert await pool.fetch(PEOPLE) == []
    assert await pool.fetchval("SELECT count(*) FROM consumed") == 0
    await pool.execute("UPDATE state_layout SET layout = $1", LAYOUT)
    await segmenter(pool).take_ec_events([visit()])
    assert len(await pool.fetch(PEOPLE)) == 1


async def test_a_newer_release_waits_for_the_batch_in_hand(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one's batch that has begun ends, and only then does the newer one begin to write."""
    async with pool.acquire() as busy, busy.transaction():
        await layout.check_layout(busy)
        monkeypatch.setattr("todoke_segmenter.adapters.layout.LAYOUT", LAYOUT + 1)
        claiming = asyncio.create_task(claim_layout(pool))
        await until_waiting(pool, 1)
        assert not claiming.done()
    await asyncio.wait_for(claiming, 4)
    assert await pool.fetchval("SELECT layout FROM state_layout") == LAYOUT + 1
    await segmenter(pool).take_ec_events([visit()])


async def test_a_newer_release_is_not_kept_waiting_by_batches_that_overlap(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segmenter under load always has a batch open: those that begin after the newer one asked wait behind it."""
    async with pool.acquire() as busy, busy.transaction():
        await layout.check_layout(busy)
        monkeypatch.setattr("todoke_segmenter.adapters.layout.LAYOUT", LAYOUT + 1)
        claiming = asyncio.create_task(claim_layout(pool))
        await until_waiting(pool, 1)
        next_batch = asyncio.create_task(segmenter(pool).take_ec_events([visit()]))
        await until_waiting(pool, 2)
    await asyncio.wait_for(asyncio.gather(claiming, next_batch), 4)


async def test_one_of_the_same_release_starts_beside_a_batch(pool: Pool) -> None:
    """It has nothing to raise, and waits for nobody."""
    await claim_layout(pool)
    async with pool.acquire() as busy, busy.transaction():
        await layout.check_layout(busy)
        await asyncio.wait_for(claim_layout(pool), 4)


async def test_a_newer_release_goes_on_waiting_for_a_batch_that_is_long(
    pool: Pool, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that came to its end in the meantime is made again: the service does not end with it."""
    monkeypatch.setattr(layout, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr("todoke_segmenter.adapters.layout.LAYOUT", LAYOUT + 1)
    impatient = {"search_path": "segmenter", "statement_timeout": "50"}
    async with asyncpg.create_pool(postgres_dsn, min_size=1, server_settings=impatient) as starting:
        async with pool.acquire() as busy, busy.transaction():
            await layout.check_layout(busy)
            claiming = asyncio.create_task(claim_layout(starting))
            await asyncio.sleep(0.2)
            assert not claiming.done()
        await asyncio.wait_for(claiming, 4)
    assert await pool.fetchval("SELECT layout FROM state_layout") == LAYOUT + 1


async def test_an_older_one_that_starts_waits_and_says_why(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It claims nothing back; when it may, it begins."""
    monkeypatch.setattr(layout, "WATCH_SECONDS", 0.01)
    await newer_release_starts(pool)
    claiming = asyncio.create_task(claim_layout(pool))
    async with asyncio.timeout(4):
        while "a newer release writes the state" not in caplog.text:
            await asyncio.sleep(0.01)
    assert await pool.fetchval("SELECT layout FROM state_layout") == LAYOUT + 1
    await pool.execute("UPDATE state_layout SET layout = $1", LAYOUT)
    await asyncio.wait_for(claiming, 4)


async def test_readiness_says_why_and_comes_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orchestrator, and whoever asks `/readyz`, learns what to do."""
    monkeypatch.setattr(layout, "WATCH_SECONDS", 0)
    readiness = Readiness()
    readiness.ready = True
    app = Starlette(routes=health_routes(readiness))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://segmenter") as door:
        await newer_release_starts(pool)
        await watch_layout(pool, readiness)
        answer = await door.get("/readyz")
        assert (answer.status_code, "deploy that release here too" in answer.text) == (503, True)
        assert (await door.get("/healthz")).status_code == 200
        await pool.execute("UPDATE state_layout SET layout = $1", LAYOUT)
        await watch_layout(pool, readiness)
        assert (await door.get("/readyz")).status_code == 200
