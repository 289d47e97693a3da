"""A whole Todoke on this machine: parts, campaigns, the simulator and the services, up and ready."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from todoke_local.campaign_check import check_campaigns
from todoke_local.fleet import Fleet
from todoke_local.parts import Parts, open_parts
from todoke_local.segment_check import check_segments
from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters.publishing import publish
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.model import Segment


@dataclass(frozen=True)
class Machine:
    """What is running, and a pool to look at it."""

    parts: Parts
    fleet: Fleet
    pool: "asyncpg.Pool[asyncpg.Record]"


@asynccontextmanager
async def open_machine(
    settings: LocalSettings, ports: dict[str, int], *, keep: Path | None, logs: Path
) -> AsyncIterator[Machine]:
    """Start everything and publish the segments and campaigns of the folders; stop everything on leaving.

    The simulator runs unless TODOKE_LINE_API_URL names a LINE. Raises RuntimeError or ValueError with what to do.
    """
    # A shop without segments has no folder of them.
    segments = check_segments(settings.segments, settings.segments) if settings.segments.exists() else []
    campaigns = check_campaigns(settings.campaigns, {segment.segment for segment in segments})
    async with open_parts(settings, keep=keep) as parts:
        pool = await open_pool(parts.postgres_dsn, application="local", schema="scheduler", size=3)
        try:
            await _publish_segments(parts.postgres_dsn, segments)
            await publish(pool, campaigns)
            fleet = Fleet(
                postgres_dsn=parts.postgres_dsn,
                kafka_bootstrap_servers=parts.kafka_bootstrap_servers,
                logs=logs,
                ports=ports,
                simulator=settings.line_api_url is None,
                line_api_url=settings.line_api_url,
                environment=links_on_this_machine(settings, ports),
            )
            async with fleet:
                yield Machine(parts, fleet, pool)
        finally:
            await pool.close()


def links_on_this_machine(settings: LocalSettings, ports: dict[str, int]) -> dict[str, str]:
    """So that clicks can be tried at once. Not in messages of LINE's own: a customer's phone reaches no 127.0.0.1."""
    if settings.public_url is not None or settings.line_api_url is not None:
        return {}
    return {"TODOKE_PUBLIC_URL": f"http://127.0.0.1:{ports['ingest']}"}


async def _publish_segments(dsn: str, segments: list[Segment]) -> None:
    async with await open_pool(dsn, application="local", schema="segmenter", size=1) as pool:
        await publish_segments(pool, segments)
