"""A campaign as it was published: a version never changes."""

from dataclasses import dataclass

from todoke_shared.campaigns.model import Campaign


@dataclass(frozen=True)
class PublishedCampaign:
    """A campaign and its version, counted from 1."""

    version: int
    campaign: Campaign
