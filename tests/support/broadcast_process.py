"""A process that carries out what is due of a database's broadcasts, to be killed: `python -m … DSN INSTANT`."""

import asyncio
import sys
from datetime import datetime

from todoke_scheduler.broadcasting import Broadcaster
from todoke_scheduler.domain import broadcasts
from todoke_scheduler.handlers import Scheduler
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.postgres.pool import open_pool

broadcasts.CHUNK = 20


async def main(dsn: str, now: str) -> None:
    """Until nothing is left to do."""
    async with await open_pool(dsn, application="test", schema="scheduler", size=3) as pool:
        catalogue, clock = CampaignCatalogue(pool), FakeClock(datetime.fromisoformat(now))
        await catalogue.refresh()
        scheduler = Scheduler(pool, clock, catalogue, cluster="test", wake=lambda: None)
        broadcaster = Broadcaster(pool, clock, catalogue, scheduler, wake=lambda: None)
        await broadcaster.plan()
        while await broadcaster.go_on():
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
