"""Everything that can be said of campaign files before they are published."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from todoke_local.messages.checking import message_mistakes
from todoke_local.segment_check import segment_mistakes
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaign, load_campaigns, no_further_check
from todoke_shared.yaml_files import Place

Further = Callable[[Campaign], Iterable[tuple[Place, str]]]


def check_campaigns(place: Path, segments: Collection[str] = (), further: Further = no_further_check) -> list[Campaign]:
    """Read a campaign file, or all of a folder. FileMistakesError lists every mistake.

    `segments`: those that campaigns may name. `further`: what is asked of campaigns that are right otherwise.
    """

    def mistakes(campaign: Campaign) -> Iterable[tuple[Place, str]]:
        found = [*message_mistakes(campaign), *segment_mistakes(campaign, segments)]
        return found or further(campaign)

    if not place.exists():
        raise ValueError(
            f"there is no `{place}` in {Path.cwd()}; run this where your campaigns are, or set TODOKE_CAMPAIGNS"
        )
    if not place.is_dir():
        return [load_campaign(place, mistakes)]
    campaigns = load_campaigns(place, mistakes)
    if not campaigns:
        raise ValueError(f"there are no campaigns in {place}; a campaign is a file *.yaml")
    return campaigns
