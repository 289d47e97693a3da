"""Campaign files -> campaigns, and every mistake at once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from todoke_shared.campaigns.checks import cross_mistakes
from todoke_shared.campaigns.hints import as_written, said, without_echoes
from todoke_shared.campaigns.mending import mended
from todoke_shared.campaigns.model import Campaign
from todoke_shared.complaints import LEFT_EMPTY, left_empty
from todoke_shared.mistakes import FileMistakesError, Mistake
from todoke_shared.yaml_files import Document, Place, complaints_of, read_document, yaml_files

Check = Callable[[Campaign], Iterable[tuple[Place, str]]]
"""Further mistakes in a campaign that can be read: the path to each, and what is wrong there."""


def no_further_check(_: Campaign) -> Iterable[tuple[Place, str]]:
    """A campaign that can be read is right."""
    return ()


def load_campaign(file: Path, check: Check = no_further_check) -> Campaign:
    """Read one campaign. FileMistakesError lists every mistake in it, those that `check` finds among them."""
    document = read_document(file)
    empty = [document.mistake(place, LEFT_EMPTY) for place in left_empty(document.value)]
    try:
        campaign = _read(document.value)
    except ValidationError as error:
        complaints = list(without_echoes(complaints_of(error)))
        told = document.mistakes([said(one, document.value) for one in complaints], {}, as_written)
        places = {one.where for one in told}
        told += (one for one in empty if one.where not in places)
        raise FileMistakesError(_by_line([*told, *_in_the_rest(document, complaints, check)])) from None
    if further := [*empty, *(document.mistake(path, what) for path, what in _checked(campaign, check))]:
        raise FileMistakesError(_by_line(further))
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


def _read(value: object) -> Campaign:
    return Campaign.model_validate(value, by_alias=True, by_name=False)  # an author writes `class`, not `lane`


def _checked(campaign: Campaign, check: Check) -> Iterable[tuple[Place, str]]:
    yield from cross_mistakes(campaign)
    yield from check(campaign)


def _by_line(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return sorted(mistakes, key=lambda mistake: mistake.line)  # as an author goes through the file


def _in_the_rest(document: Document, complaints: list[Any], check: Check) -> list[Mistake]:
    """What is wrong beside the complaints: they hide nothing of what stands elsewhere in the file."""
    places = [as_written(complaint["loc"]) for complaint in complaints]
    rest = mended(document.value, places)
    try:
        campaign = _read(rest.value)
    except ValidationError:  # wrong all over: what has been told is enough to begin with
        return []
    return [document.mistake(path, what) for path, what in _checked(campaign, check) if not rest.touches(path)]
