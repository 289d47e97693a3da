"""Publishing a campaign: a changed document becomes the next version, an unchanged one stays what it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from todoke_shared.campaigns.model import Campaign

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('todoke.publish'))"
_LATEST = "SELECT version, document FROM campaign_versions WHERE campaign = $1 ORDER BY version DESC LIMIT 1"
_PUBLISH = "INSERT INTO campaign_versions (campaign, version, document) VALUES ($1, $2, $3)"


@dataclass(frozen=True)
class Publication:
    """What publishing came to: the version now in force, and whether it is a new one."""

    campaign: str
    version: int
    new: bool


async def publish(pool: "asyncpg.Pool[asyncpg.Record]", campaigns: Iterable[Campaign]) -> list[Publication]:
    """Put campaigns in force, all or none. Two publishers at once take turns."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_LOCK)
        publications = []
        for campaign in campaigns:
            document = campaign.to_document()
            latest = await connection.fetchrow(_LATEST, campaign.campaign)
            if latest is not None and latest["document"] == document:
                publications.append(Publication(campaign.campaign, latest["version"], new=False))
                continue
            version = 1 if latest is None else latest["version"] + 1
            await connection.execute(_PUBLISH, campaign.campaign, version, document)
            publications.append(Publication(campaign.campaign, version, new=True))
        return publications
