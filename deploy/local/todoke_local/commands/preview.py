"""`todoke campaigns preview FILE|NAME`."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from todoke_local.campaign_check import check_campaigns
from todoke_local.messages.preview import Previewed
from todoke_local.messages.preview import preview as preview_messages
from todoke_local.messages.view import lines_of
from todoke_local.segment_check import published_segments
from todoke_local.settings import LocalSettings
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.jsons import dumps_text
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool


def preview(
    what: Annotated[str, typer.Argument(help="A campaign file, or the name of a published one", metavar="FILE|NAME")],
    person: Annotated[str | None, typer.Option(help="Whose: customer:42, visitor:… or a person's id")] = None,
    people: Annotated[int, typer.Option(min=1, max=100, help="How many of those whom it concerns")] = 3,
    message: Annotated[str | None, typer.Option(help="This message alone")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="LINE's message objects, exactly")] = False,
) -> None:
    """Show each message as real people would read it now, and who would not get it and why. Nothing is sent."""
    file = Path(what)
    seen = asyncio.run(_seen(LocalSettings(), file if file.is_file() else what, person, people, message))
    if as_json:
        sys.stdout.write(dumps_text([_document(one) for one in seen]) + "\n")
        return
    for line in _lines(seen):
        typer.echo(line)


async def _seen(
    settings: LocalSettings, what: Path | str, person: str | None, people: int, message: str | None
) -> list[Previewed]:
    dsn = settings.need("postgres_dsn")
    async with await open_pool(dsn, application="preview", schema="scheduler", size=2) as pool:
        if isinstance(what, Path):
            [campaign] = check_campaigns(what, await published_segments(dsn))
        else:
            campaign = await _published(CampaignCatalogue(pool), what)
        if message is not None:
            campaign = _only(campaign, message)
        now = (await sample_clock(pool)).now
        return await preview_messages(pool, campaign, now, person=person, people=people)


async def _published(catalogue: CampaignCatalogue, name: str) -> Campaign:
    await catalogue.refresh()
    published = catalogue.latest(name)
    if published is None:
        raise ValueError(f"there is no file `{name}`, and no campaign of this name is published")
    return published.campaign


def _only(campaign: Campaign, message: str) -> Campaign:
    if message not in campaign.messages:
        hint = did_you_mean(nearest(message, campaign.messages))
        raise ValueError(f"`{campaign.campaign}` has no message `{message}`{hint}")
    return campaign.model_copy(update={"messages": {message: campaign.messages[message]}})


def _lines(seen: Sequence[Previewed]) -> Iterator[str]:
    person = None
    for one in seen:
        if one.person != person:
            person = one.person
            yield f"to {person}"
        stand_ins = f" (not theirs, but a sample: {', '.join(one.stand_ins)})" if one.stand_ins else ""
        yield f"  {one.message}{stand_ins}"
        lines = [f"not sent to them: {one.why}"] if one.objects is None else lines_of(one.objects)
        yield from (f"    {line}".rstrip() for line in lines)


def _document(one: Previewed) -> dict[str, object]:
    told = {"messages": one.objects} if one.objects is not None else {"not_sent": one.why}
    return {"person": one.person, "message": one.message, "stand_ins": one.stand_ins, **told}
