"""Published campaigns, as every room reads them: versions are immutable, so what is known stays known."""

import logging

import asyncpg
from pydantic import ValidationError

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.postgres.stream import Connection

logger = logging.getLogger("todoke.campaigns")

RELOAD_SECONDS = 1.0
"""How soon a published campaign is live."""

_CURRENT = "SELECT campaign, version, paused_since IS NOT NULL AS paused FROM scheduler.current_campaigns"
_VERSIONS = """
SELECT campaign, version, document FROM scheduler.published_campaigns
 WHERE (campaign, version) IN (SELECT * FROM unnest($1::text[], $2::int[]))
"""


class CampaignCatalogue:
    """The campaigns now in force, and every version that anybody asked for."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._known: dict[tuple[str, int], PublishedCampaign] = {}
        self._names: frozenset[str] = frozenset()
        self._unreadable: set[tuple[str, int]] = set()
        self._current: tuple[PublishedCampaign, ...] = ()
        self._in_force: dict[str, PublishedCampaign] = {}
        self._paused: frozenset[str] = frozenset()

    @property
    def current(self) -> tuple[PublishedCampaign, ...]:
        """The campaigns that people may enter now."""
        return self._current

    @property
    def paused(self) -> frozenset[str]:
        """The names of the campaigns in which no step is done now; people go on entering them."""
        return self._paused

    def is_published(self, name: str) -> bool:
        """Whether a campaign of this name is in force, in a version that this release can read or not."""
        return name in self._names

    def latest(self, name: str) -> PublishedCampaign | None:
        """The version of `name` that people may enter now."""
        return self._in_force.get(name)

    def known(self, name: str, version: int) -> PublishedCampaign | None:
        """A version that `refresh` or `fetch` has brought."""
        return self._known.get((name, version))

    async def refresh(self, connection: "Connection | None" = None) -> None:
        """Learn which versions are in force. Within a transaction give its `connection`, as to `fetch`."""
        rows = await (connection or self._pool).fetch(_CURRENT)
        wanted = {(row["campaign"], row["version"]) for row in rows}
        await self.fetch(wanted, connection)
        self._names = frozenset(name for name, _ in wanted)
        self._paused = frozenset(row["campaign"] for row in rows if row["paused"])
        current = tuple(self._known[key] for key in sorted(wanted) if key in self._known)
        if current != self._current:  # the same object as long as nothing is published: rules are built from it once
            self._current = current
            self._in_force = {published.campaign.campaign: published for published in current}

    async def fetch(self, wanted: set[tuple[str, int]], connection: "Connection | None" = None) -> None:
        """Bring versions that are not known yet; one that was never published stays unknown.

        Within a transaction give its `connection`: a second one could wait for ever for a place in the pool.
        """
        missing = sorted(wanted - self._known.keys())
        if not missing:
            return
        columns = [name for name, _ in missing], [version for _, version in missing]
        for row in await (connection or self._pool).fetch(_VERSIONS, *columns):
            self._learn(row["campaign"], row["version"], row["document"])

    def is_unreadable(self, name: str, version: int) -> bool:
        """Whether this version is published and this release cannot read it: a newer one probably can."""
        return (name, version) in self._unreadable

    def _learn(self, name: str, version: int, document: object) -> None:
        try:
            self._known[name, version] = PublishedCampaign(version, Campaign.model_validate(document))
        except ValidationError as error:
            self._unreadable.add((name, version))
            logger.error(
                "version %d of campaign %s cannot be read by this release: %s", version, name, bad_message(error)
            )
