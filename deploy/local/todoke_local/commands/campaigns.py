"""`todoke campaigns check|preview|publish|list|units|pause|resume|diagram|schema`."""

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from todoke_dispatcher.adapters.units import ListedUnit
from todoke_dispatcher.adapters.units import listed as listed_units
from todoke_dispatcher.domain.quota import month_of
from todoke_local.campaign_check import check_campaigns
from todoke_local.campaign_needs import account_mistakes, pool_remarks, pools_of
from todoke_local.commands.preview import preview
from todoke_local.in_room import Done, Work, in_room
from todoke_local.link_check import link_remarks
from todoke_local.listing import print_list, shop_time
from todoke_local.messages.checking import message_remarks
from todoke_local.messages.line import LineValidator, line_validator
from todoke_local.segment_check import published_segments
from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters import overseeing
from todoke_scheduler.adapters.coupons import pools_with_codes
from todoke_scheduler.adapters.overseeing import Listed, Waiting
from todoke_scheduler.adapters.publishing import Publication
from todoke_scheduler.adapters.publishing import publish as publish_all
from todoke_shared.accounts import Config, read_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.remarks import remarks
from todoke_shared.campaigns.schema import campaign_schema
from todoke_shared.campaigns.source import load_campaign, no_further_check
from todoke_shared.campaigns.wording import step_words
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.source import readable_segments
from todoke_shared.yaml_files import Place

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Write, check and publish campaigns.")

Folder = Annotated[Path | None, typer.Argument(help="A campaign file or a folder of them (default: TODOKE_CAMPAIGNS)")]
Name = Annotated[str, typer.Argument(help="The campaign's name")]
Line = Annotated[
    str | None, typer.Option("--line", metavar="ACCOUNT", help="Have LINE check the messages too, as this account")
]


app.command("preview")(preview)


@app.command("check")
def check(folder: Folder = None, line: Line = None) -> None:
    """Report every mistake in campaign files, with file, line and what to write instead; then what each comes to."""
    settings = LocalSettings()
    config = read_config(settings.config)
    validator = None if line is None else line_validator(settings, line)
    campaigns = _checked(settings, folder, readable_segments(settings.segments), config, validator)
    for campaign in campaigns:
        links = link_remarks(campaign, config, settings.public_url)
        for remark in chain(remarks(campaign), message_remarks(campaign), links):
            typer.echo(f"{campaign.campaign}: {remark}")
    if validator is not None:
        typer.echo(f"{validator.url} takes the messages of {line}.")
    typer.echo(f"{len(campaigns)} {'campaign' if len(campaigns) == 1 else 'campaigns'}, no mistakes.")


@app.command("publish")
def publish(folder: Folder = None, line: Line = None) -> None:
    """Check campaigns and put them in force. A changed campaign becomes a new version; the old one is kept.

    A segment that a campaign names must be published before it; coupon pools without codes are told.
    """
    settings = LocalSettings()
    config = read_config(settings.config)
    validator = None if line is None else line_validator(settings, line)

    async def go() -> list[Publication]:
        segments = await published_segments(settings.need("postgres_dsn"))
        campaigns = _checked(settings, folder, segments, config, validator)
        async with await open_pool(
            settings.need("postgres_dsn"), application="publish", schema="scheduler", size=1
        ) as pool:
            with_codes = await pools_with_codes(pool, pools_of(campaigns))
            for campaign in campaigns:
                links = link_remarks(campaign, config, settings.public_url)
                for remark in chain(links, pool_remarks(campaign, with_codes)):
                    typer.echo(f"{campaign.campaign}: {remark}", err=True)
            return await publish_all(pool, campaigns)

    for publication in asyncio.run(go()):
        state = "published" if publication.new else "unchanged"
        Console().print(f"{publication.campaign}: version {publication.version}, {state}")


@app.command("list")
def list_(
    steps: Annotated[bool, typer.Option("--steps", help="Where people are: how many wait at each step")] = False,
) -> None:
    """List the campaigns in force, with how many people are in each and have been through it."""
    if steps:
        print_list(("campaign", "version", "at", "step", "people"), _with_the_scheduler(_where_people_are))
        return
    headings = ("campaign", "name", "version", "state", "entered", "active", "done", "ended early", "holdout")
    print_list(headings, map(_row, _with_the_scheduler(overseeing.list_campaigns)))


@app.command("units")
def units() -> None:
    """List by which names LINE's statistics count the steps of campaigns, this month and the one before."""
    dsn = LocalSettings().need("postgres_dsn")

    async def go() -> list[ListedUnit]:
        async with await open_pool(dsn, application="campaigns", schema="dispatcher", size=1) as pool:
            month = month_of((await sample_clock(pool)).wall)
            async with pool.acquire() as connection:
                return await listed_units(connection, (month - timedelta(days=1)).replace(day=1))

    headings = ("account", "month", "unit", "campaign", "step")
    told = asyncio.run(go())
    print_list(headings, [(one.account, f"{one.month:%Y-%m}", one.unit, one.campaign, one.step) for one in told])


@app.command("pause")
def pause(name: Name) -> None:
    """Hold a campaign: people still enter it, and no step is done until `resume`. In force within a second or two."""
    news = _with_the_scheduler(lambda pool: overseeing.pause(pool, name))
    typer.echo(f"{name}: {'paused' if news else 'paused already'}; go on with `todoke campaigns resume {name}`")


@app.command("resume")
def resume(name: Name) -> None:
    """Let a paused campaign go on: what fell due meanwhile is late, and done or left out as its `late` says."""
    news = _with_the_scheduler(lambda pool: overseeing.resume(pool, name))
    typer.echo(f"{name}: {'goes on' if news else 'was not paused'}")


@app.command("diagram")
def diagram(
    what: Annotated[
        str, typer.Argument(help="A campaign file, or the name of a published campaign", metavar="FILE|NAME")
    ],
) -> None:
    """Print a campaign as a Mermaid flowchart, to paste into Markdown or https://mermaid.live."""
    campaign = (
        load_campaign(Path(what)) if Path(what).is_file() else _with_the_scheduler(lambda pool: _named(pool, what))
    )
    typer.echo(mermaid(campaign), nl=False)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of campaign files, for editors."""
    typer.echo(json.dumps(campaign_schema(), ensure_ascii=False, indent=2))


def _checked(
    settings: LocalSettings,
    folder: Path | None,
    segments: Collection[str],
    config: Config,
    validator: LineValidator | None,
) -> list[Campaign]:
    def further(campaign: Campaign) -> Iterable[tuple[Place, str]]:
        return list(account_mistakes(campaign, config)) or (validator or no_further_check)(campaign)

    return check_campaigns(folder or settings.campaigns, segments, further)


def _with_the_scheduler(work: Work[Done]) -> Done:
    return in_room("scheduler", work, command="campaigns")


def _row(listed: Listed) -> tuple[str, ...]:
    state = "in force" if listed.paused_since is None else f"paused since {shop_time(listed.paused_since)}"
    counts = (listed.entered, listed.active, listed.done, listed.ended, listed.holdout)
    return listed.campaign, listed.name, str(listed.version), state, *map(str, counts)


async def _where_people_are(pool: "asyncpg.Pool[asyncpg.Record]") -> list[tuple[str, ...]]:
    waiting = await overseeing.waiting_at(pool)
    catalogue = CampaignCatalogue(pool)
    await catalogue.fetch({(one.campaign, one.version) for one in waiting})
    return list(_steps(waiting, catalogue))


def _steps(waiting: list[Waiting], catalogue: CampaignCatalogue) -> Iterator[tuple[str, ...]]:
    for one in waiting:
        published = catalogue.known(one.campaign, one.version)
        instruction = Program.of(published.campaign).at(one.position) if published else None
        place, words = (instruction.place, step_words(instruction.step)) if instruction else ("", "the end")
        yield one.campaign, str(one.version), place, words, str(one.people)


async def _named(pool: "asyncpg.Pool[asyncpg.Record]", name: str) -> Campaign:
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    published = catalogue.latest(name)
    if published is None:
        raise ValueError(f"there is no file `{name}`, and no campaign of this name is published")
    return published.campaign
