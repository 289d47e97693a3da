"""`todoke report`: what campaigns have done and earned."""

import asyncio
import json
from datetime import datetime
from typing import Annotated

import asyncpg
import typer

from todoke_local import report_words
from todoke_local.listing import print_list
from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters.reporting import report as report_of
from todoke_scheduler.domain.report import Report
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool

Told = tuple[Campaign, Report]


def report(
    campaign: Annotated[str | None, typer.Argument(help="A campaign's name (default: a line for each)")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only runs that began on this day or later, in the campaign's zone"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
) -> None:
    """Tell what a campaign's messages came to: sent, clicked, converted, yen; by A/B branch, and against the holdout.

    Intervals are 95% ones. People who are not reached belong to the campaign, too: the holdout has such people as well.
    """
    told = asyncio.run(_reports(campaign, since))
    if as_json:
        documents = [report_words.as_json(one) for _, one in told]
        typer.echo(json.dumps(documents[0] if campaign else documents, ensure_ascii=False, indent=2))
    elif campaign is None:
        print_list(report_words.OVERVIEW, (report_words.overview(one) for _, one in told))
    else:
        _print(*told[0])


def _print(campaign: Campaign, told: Report) -> None:
    typer.echo(report_words.title(told) + "\n")
    print_list(report_words.RUNS, [report_words.runs(told)])
    typer.echo()
    if told.steps:
        print_list(report_words.STEPS, report_words.steps(told))
        typer.echo()
    if told.runs.entered:
        print_list(report_words.GROUPS, report_words.groups(told))
        typer.echo()
    longest = max((goal.within for goal in campaign.goal), default=None)
    within = "" if longest is None else f"within {format_duration(longest)} of the start"
    for sentence in report_words.sentences(told, within):
        typer.echo(sentence)


async def _reports(name: str | None, since: datetime | None) -> list[Told]:
    dsn = LocalSettings().need("postgres_dsn")
    async with await open_pool(dsn, application="report", schema="scheduler", size=1) as pool:
        now = (await sample_clock(pool)).now
        return [
            (one.campaign, await report_of(pool, one, since and since.replace(tzinfo=one.campaign.tz), now))
            for one in await _published(pool, name)
        ]


async def _published(pool: "asyncpg.Pool[asyncpg.Record]", name: str | None) -> list[PublishedCampaign]:
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    if name is None:
        return list(catalogue.current)
    published = catalogue.latest(name)
    if published is None:
        hint = did_you_mean(nearest(name, [one.campaign.campaign for one in catalogue.current]))
        raise ValueError(f"no campaign `{name}` is published{hint}; `todoke campaigns list` shows all")
    return [published]
