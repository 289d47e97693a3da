"""Campaign files -> campaigns, and every mistake at once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from todoke_shared.campaigns.model import Campaign
from todoke_shared.yaml_files import FileMistakesError, Mistake, Place, complaints_of, read_document, yaml_files

_WORDS = {
    "union_tag_invalid": "a step is one of `wait: 1h` or `send: message-name`",
    "model_type": "write a campaign as a mapping that starts with `campaign: its-name`",
}

Check = Callable[[Campaign], Iterable[tuple[Place, str]]]
"""Further mistakes in a campaign that can be read: the path to each, and what is wrong there."""


def no_further_check(_: Campaign) -> Iterable[tuple[Place, str]]:
    """A campaign that can be read is right."""
    return ()


def load_campaign(file: Path, check: Check = no_further_check) -> Campaign:
    """Read one campaign. FileMistakesError lists every mistake in it, those that `check` finds among them."""
    document = read_document(file)
    try:
        campaign = Campaign.model_validate(document.value)
    except ValidationError as error:
        complaints = _without_echoes(complaints_of(error))
        raise FileMistakesError(document.mistakes(complaints, _WORDS, _as_written)) from None
    if further := [document.mistake(path, what) for path, what in check(campaign)]:
        raise FileMistakesError(further)
    return campaign


def load_campaigns(folder: Path, check: Check = no_further_check) -> list[Campaign]:
    """Read every `*.yaml` and `*.yml` below a folder, by name. FileMistakesError lists every mistake in all of them."""
    campaigns: list[Campaign] = []
    mistakes: list[Mistake] = []
    for file in yaml_files(folder):
        try:
            campaign = load_campaign(file, check)
        except FileMistakesError as error:
            mistakes += error.mistakes
            continue
        if any(campaign.campaign == other.campaign for other in campaigns):
            mistakes.append(Mistake(file, 1, "campaign", f"`{campaign.campaign}` is the name of two campaigns"))
        campaigns.append(campaign)
    if mistakes:
        raise FileMistakesError(mistakes)
    return campaigns


def _without_echoes(complaints: list[Any]) -> list[Any]:
    """pydantic leaves bad steps out and then finds that there are too few: that is no second mistake."""
    steps = [complaint for complaint in complaints if complaint["loc"][0:1] == ("steps",)]
    return [
        one for one in complaints if not (one["loc"] == ("steps",) and one["type"] == "too_short" and len(steps) > 1)
    ]


def _as_written(loc: Place) -> list[str | int]:
    # pydantic puts the kind of a step into the path, before the step's own keys: steps, 0, wait, wait.
    kind = {2} if loc[0:1] == ("steps",) and len(loc) > 3 else set()
    return [part for place, part in enumerate(loc) if place not in kind and part != "[key]"]
