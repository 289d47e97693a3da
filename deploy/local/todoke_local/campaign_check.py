"""Everything that can be said of campaign files before they are published."""

from pathlib import Path

from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaign, load_campaigns


def check_campaigns(place: Path) -> list[Campaign]:
    """Read a campaign file, or all of a folder. CampaignFileError lists every mistake."""
    if not place.exists():
        raise ValueError(f"there is no {place}; name a campaign file or a folder of them, or set TODOKE_CAMPAIGNS")
    return load_campaigns(place) if place.is_dir() else [load_campaign(place)]
