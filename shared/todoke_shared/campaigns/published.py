"""A campaign as it was published: a version never changes."""

from dataclasses import dataclass
from functools import cached_property

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program


@dataclass(frozen=True)
class PublishedCampaign:
    """A campaign and its version, counted from 1."""

    version: int
    campaign: Campaign

    @cached_property
    def program(self) -> Program:
        """What runs on this version go through."""
        return Program.of(self.campaign)
