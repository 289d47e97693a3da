"""`todoke explain PERSON CAMPAIGN`."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import typer

from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters import explaining
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.story import Delivered, Logged, refused, story
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool


@dataclass(frozen=True)
class Told:
    """What is known of a person in a campaign: runs with what was decided and delivered, by run (None: of no run)."""

    runs: list[Enrolment]
    decisions: Mapping[UUID | None, list[Logged]]
    deliveries: Mapping[UUID | None, list[Delivered]]
    now: datetime


def explain(
    person: Annotated[str, typer.Argument(help="customer:42, line:main:U…, visitor:…, or the person's id")],
    campaign: Annotated[str, typer.Argument(help="The campaign's name")],
) -> None:
    """Tell what a campaign did for a person, step by step, and why it did not do the rest."""
    dsn = LocalSettings().need("postgres_dsn")
    for line in asyncio.run(_lines(dsn, person, campaign)):
        typer.echo(line)


async def _lines(dsn: str, person: str, campaign: str) -> list[str]:
    async with await open_pool(dsn, application="explain", schema="scheduler", size=1) as pool:
        catalogue = CampaignCatalogue(pool)
        await catalogue.refresh()
        if not catalogue.is_published(campaign):
            hint = did_you_mean(nearest(campaign, [one.campaign.campaign for one in catalogue.current]))
            raise ValueError(f"no campaign `{campaign}` is published{hint}; `todoke campaigns list` shows all")
        people = await explaining.people_named(pool, person)
        if not people:
            raise ValueError(f"nobody is known as `{person}`; write customer:42, line:ACCOUNT:U…, visitor:… or an id")
        told = await _told(pool, people, campaign)
        await catalogue.fetch({(run.campaign, run.version) for run in told.runs})
        return list(_tell(told, catalogue, campaign))


async def _told(pool: "asyncpg.Pool[asyncpg.Record]", people: list[UUID], campaign: str) -> Told:
    return Told(
        await explaining.runs_of(pool, people, campaign),
        await explaining.decided(pool, people, campaign),
        await explaining.delivered(pool, people, campaign),
        (await sample_clock(pool)).now,
    )


def _tell(told: Told, catalogue: CampaignCatalogue, campaign: str) -> Iterator[str]:
    """The runs, each under its id; then the entries that were refused."""
    latest = catalogue.latest(campaign)
    for run in told.runs:
        yield f"run {run.id}" + (f" for {run.key}" if run.key else "") + (", in the holdout" if run.holdout else "")
        published = catalogue.known(run.campaign, run.version)
        if published is None:
            yield f"  follows version {run.version}, which this release of todoke cannot read"
            continue
        decisions, deliveries = told.decisions.get(run.id, []), told.deliveries.get(run.id, [])
        yield from (f"  {line}" for line in story(run, published.program, decisions, deliveries, told.now))
    of_no_run = told.decisions.get(None, [])
    if latest is not None and (of_no_run or not told.runs):
        yield "entries that were refused" if told.runs else "no run"
        yield from (f"  {line}" for line in refused(of_no_run, latest.campaign.tz))
