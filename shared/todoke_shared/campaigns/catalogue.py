"""Published campaigns, as every room reads them: versions are immutable, so what is known stays known."""

import asyncpg

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign

RELOAD_SECONDS = 1.0
"""How soon a published campaign is live."""

_CURRENT = "SELECT campaign, version FROM scheduler.current_campaigns"
_VERSIONS = """
SELECT campaign, version, document FROM scheduler.published_campaigns
 WHERE (campaign, version) IN (SELECT * FROM unnest($1::text[], $2::int[]))
"""


class CampaignCatalogue:
    """The campaigns now in force, and every version that anybody asked for."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._known: dict[tuple[str, int], PublishedCampaign] = {}
        self._current: tuple[PublishedCampaign, ...] = ()

    @property
    def current(self) -> tuple[PublishedCampaign, ...]:
        """The campaigns that people may enter now."""
        return self._current

    def latest(self, name: str) -> PublishedCampaign | None:
        """The version of `name` that people may enter now."""
        return next((published for published in self._current if published.campaign.campaign == name), None)

    def known(self, name: str, version: int) -> PublishedCampaign | None:
        """A version that `refresh` or `fetch` has brought."""
        return self._known.get((name, version))

    async def refresh(self) -> None:
        """Learn which versions are in force."""
        wanted = {(row["campaign"], row["version"]) for row in await self._pool.fetch(_CURRENT)}
        await self.fetch(wanted)
        self._current = tuple(self._known[key] for key in sorted(wanted) if key in self._known)

    async def fetch(self, wanted: set[tuple[str, int]]) -> None:
        """Bring versions that are not known yet; one that was never published stays unknown."""
        missing = sorted(wanted - self._known.keys())
        if not missing:
            return
        rows = await self._pool.fetch(_VERSIONS, [name for name, _ in missing], [version for _, version in missing])
        for row in rows:
            campaign = Campaign.model_validate(row["document"])
            self._known[row["campaign"], row["version"]] = PublishedCampaign(row["version"], campaign)
