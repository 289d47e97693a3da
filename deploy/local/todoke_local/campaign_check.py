"""Everything that can be said of campaign files before they are published."""

from collections.abc import Collection, Iterable
from pathlib import Path

from todoke_dispatcher.domain.rendering import template_mistakes
from todoke_line_simulator.validation import messages_problems
from todoke_local.segment_check import segment_mistakes
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaign, load_campaigns
from todoke_shared.jsons import dumps
from todoke_shared.yaml_files import Place


def check_campaigns(place: Path, segments: Collection[str] = ()) -> list[Campaign]:
    """Read a campaign file, or all of a folder. FileMistakesError lists every mistake.

    `segments`: those that campaigns may name.
    """

    def mistakes(campaign: Campaign) -> Iterable[tuple[Place, str]]:
        yield from message_mistakes(campaign)
        yield from segment_mistakes(campaign, segments)

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


def message_mistakes(campaign: Campaign) -> Iterable[tuple[Place, str]]:
    """Templates that cannot be read, and message objects that LINE (its limits, line-bot-sdk's models) would refuse.

    Checked as written, with the templates still in them: what only shows with a customer's values is not found here.
    """
    for name, messages in campaign.messages.items():
        for index, message in enumerate(messages):
            place: Place = ("messages", name, index)
            for what in template_mistakes(message):
                yield place, what
            for problem in messages_problems(dumps([message])):
                where = problem.property.removeprefix("messages[0]").lstrip(".") or "it"
                yield place, f"LINE refuses {where}: {problem.message}"
