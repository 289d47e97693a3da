"""A whole Todoke in processes of its own: services, simulator, a broker and a database that no other test uses."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.running import Running
from todoke_local.fleet import Fleet, free_ports
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.postgres.pool import open_pool

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


@pytest.fixture
async def running(own_kafka: str, postgres_dsn: str, tmp_path: Path) -> AsyncIterator[Running]:
    """Everything up and ready, the shipped campaigns published."""
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=3) as pool:
        await publish(pool, load_campaigns(CAMPAIGNS))
        fleet = Fleet(postgres_dsn, own_kafka, tmp_path / "logs", free_ports())
        async with fleet, aiohttp.ClientSession(trust_env=False) as session:
            yield Running(fleet, pool, session, own_kafka)
