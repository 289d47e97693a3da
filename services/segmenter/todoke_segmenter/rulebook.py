"""What is asked of people: the segments and the campaigns in force, compiled once after each publication."""

from collections.abc import Iterable

from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.domain.segments import SegmentRules
from todoke_segmenter.domain.triggers import TriggerRules
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.postgres.stream import Connection


class Rulebook:
    """Shared by the event batches and the clock, so that both speak of the same segments."""

    def __init__(self, campaigns: CampaignCatalogue, segments: SegmentCatalogue) -> None:
        self._campaigns = campaigns
        self._segments = segments
        self._triggers = TriggerRules(())
        self._made_of: tuple[tuple[PublishedCampaign, ...], SegmentRules] = ((), segments.rules)

    @property
    def segments(self) -> SegmentRules:
        """The segments in force."""
        return self._segments.rules

    @property
    def triggers(self) -> TriggerRules:
        """The entries and exits of the campaigns in force."""
        campaigns, segments = self._campaigns.current, self._segments.rules
        known_campaigns, known_segments = self._made_of
        if campaigns is not known_campaigns or segments is not known_segments:
            self._made_of = campaigns, segments
            self._triggers = TriggerRules((one.campaign for one in campaigns), segments.conditions)
        return self._triggers

    async def learn(self) -> None:
        """What is published now, and the segments of campaigns that people enter by a date."""
        await self._segments.refresh()
        await self._campaigns.refresh()
        await self._segments.keep_dates(one.campaign for one in self._campaigns.current)

    async def know(self, campaigns: Iterable[str], connection: Connection) -> None:
        """Look again at what is published, where one of these, which somebody names, was published since."""
        if not all(map(self._campaigns.is_published, campaigns)):
            await self._campaigns.refresh(connection)

    async def at_least(self, revision: int, connection: Connection) -> SegmentRules:
        """The segments in force, no older than those that another segmenter has asked of a person."""
        if revision > self.segments.revision:
            await self._segments.refresh(connection)
        return self.segments
