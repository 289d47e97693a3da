"""Starting a campaign over HTTP, with the scheduler's tables there to ask: 404 for a campaign that is not in force."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.documented import Ingest, open_ingest
from todoke_ingest.adapters.campaigns import may_be_in_force
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.model import Campaign
from todoke_shared.jsons import dumps
from todoke_shared.postgres.pool import open_pool

WELCOME = Campaign.model_validate(
    {
        "campaign": "welcome",
        "class": "transactional",
        "enter": {"on": "call"},
        "steps": [{"send": "text"}],
        "messages": {"text": [{"type": "text", "text": "ようこそ"}]},
    }
)


@pytest.fixture
async def ingest(postgres_dsn: str) -> AsyncIterator[Ingest]:
    """One campaign is in force."""
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler:
        await publish(scheduler, [WELCOME])
    async with (
        await open_pool(postgres_dsn, application="test", schema="ingest", size=2) as pool,
        open_ingest(pool) as opened,
    ):
        yield opened


@pytest.mark.parametrize("action", ["start", "stop"])
async def test_a_campaign_that_is_not_in_force_is_not_found(ingest: Ingest, action: str) -> None:
    """Nothing is taken for it; the one that is in force is taken."""
    for name, status in (("welcome", 202), ("welcom", 404)):
        answer = await ingest.ask(
            "POST",
            f"/v1/campaigns/{name}/{action}",
            body=dumps({"subject": "customer:42"}),
            headers={"content-type": "application/json"},
            way="bearerKey",
        )
        assert answer.status_code == status
    assert [value["data"] for value in ingest.topics.values()] == [{"campaign": "welcome"}]


async def test_while_postgresql_is_away_every_name_is_taken(
    empty_postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The scheduler's dead letter tells which was none; the log tells an operator why it was not asked."""
    async with await open_pool(empty_postgres_dsn, application="test", schema="ingest", size=1) as pool:
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetchval("SELECT FROM scheduler.current_campaigns")
        assert await may_be_in_force(pool, "welcom")
    assert "could not be asked" in caplog.text
