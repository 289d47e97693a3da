"""`todoke broadcast FILE|NAME`, `todoke broadcast list|cancel`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import asyncpg
import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from todoke_dispatcher.books import Books
from todoke_local.broadcast_cost import Fit, When, cost_words, fit_of, messages_words
from todoke_local.broadcast_view import audience_of, count_audience, messages_each, sample
from todoke_local.campaign_check import check_campaigns
from todoke_local.link_check import link_remarks
from todoke_local.listing import print_list, shop_time
from todoke_local.names import check_account
from todoke_local.segment_check import published_segments
from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters import broadcasts
from todoke_scheduler.adapters.broadcasts import Listed
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.domain.broadcasts import share_done
from todoke_scheduler.domain.schedules import JUST_NOW, next_occurrence
from todoke_segmenter.adapters.audiences import Count
from todoke_shared.accounts import read_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.entering import Once
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.complaints import plain_words
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SEND = "send"
_OVER = 20
"""Broadcasts that are over, in a list."""


class _OrSend(TyperGroup):
    """Any other word is a campaign to send. (Any: typer keeps click, and so its types, to itself.)"""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [SEND, *args]
        return list(super().parse_args(ctx, args))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, SEND)


app = typer.Typer(
    cls=_OrSend,
    no_args_is_help=True,
    add_completion=False,
    help="Send a campaign with a schedule to its audience: `todoke broadcast FILE`.",
)


@app.command(SEND)
def send(
    what: Annotated[str, typer.Argument(help="A campaign file, or the name of a published campaign")],
    at: Annotated[
        str | None, typer.Option(help="When instead, where it goes once: `now`, or a local time, `2026-12-24 10:00`")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    as_far_as_it_fits: Annotated[
        bool,
        typer.Option("--as-far-as-it-fits", help="Also where the month has too little room: what is beyond it is held"),
    ] = False,
) -> None:
    """Show how many people it is for, what it takes of the month and how it reads; then, if you say so, have it go."""
    file = Path(what)
    asyncio.run(_send(LocalSettings(), file if file.is_file() else what, at, yes=yes, partly=as_far_as_it_fits))


@app.command("list")
def list_() -> None:
    """List what is planned and under way, with how far it has come, and the last that are over."""
    headings = ("campaign", "due", "state", "people", "a second", "left", "id")
    print_list(headings, asyncio.run(_list(LocalSettings())))


@app.command("cancel")
def cancel(name: Annotated[str, typer.Argument(help="A campaign, or the id of one broadcast")]) -> None:
    """Stop broadcasts at once, and take back what LINE does not have yet; of one that was over within a day, too."""
    for words in asyncio.run(_cancel(LocalSettings(), name)):
        typer.echo(words)


@dataclass(frozen=True)
class _Rooms:
    """Pools on the schemas that a broadcast is about, and the fleet's clock."""

    scheduler: Pool
    segmenter: Pool
    dispatcher: Pool
    clock: Clock


@asynccontextmanager
async def _open(settings: LocalSettings) -> AsyncIterator[_Rooms]:
    dsn = settings.need("postgres_dsn")
    async with (
        await open_pool(dsn, application="broadcast", schema="scheduler", size=1) as scheduler,
        await open_pool(dsn, application="broadcast", schema="segmenter", size=1) as segmenter,
        await open_pool(dsn, application="broadcast", schema="dispatcher", size=1) as dispatcher,
    ):
        yield _Rooms(scheduler, segmenter, dispatcher, await open_clock(scheduler))


async def _send(settings: LocalSettings, what: Path | str, at: str | None, *, yes: bool, partly: bool) -> None:
    async with _open(settings) as rooms:
        now = rooms.clock.now()
        published = await _campaign(settings, rooms, what)
        campaign = published.campaign if at is None else _going_at(published.campaign, at, now)
        due = _due(campaign, now)
        fit = await _show(settings, rooms, PublishedCampaign(published.version, campaign), due)
        if not fit.fits and not partly:
            raise ValueError(
                f"it does not fit into the month of account {campaign.account}, and nothing was planned. Raise the "
                "account's `monthly_limit`, narrow the audience, or give --as-far-as-it-fits: the rest is then held "
                "until the month turns or the limit is raised"
            )
        if not yes and not typer.confirm("Send it?"):
            raise typer.Exit(1)
        if campaign is not published.campaign or isinstance(what, Path):
            await publish(rooms.scheduler, [campaign])
        await _plan(rooms, campaign.campaign, due)
        await broadcasts.expect(rooms.scheduler, campaign.campaign, due, fit.goes)
        typer.echo(f"{campaign.campaign}: goes at {shop_time(due)}; `todoke broadcast list` shows how far it is")


async def _campaign(settings: LocalSettings, rooms: _Rooms, what: Path | str) -> PublishedCampaign:
    if isinstance(what, Path):
        [campaign] = check_campaigns(what, await published_segments(settings.need("postgres_dsn")))
        found = PublishedCampaign(0, campaign)
    else:
        catalogue = CampaignCatalogue(rooms.scheduler)
        await catalogue.refresh()
        named = catalogue.latest(what)
        if named is None:
            raise ValueError(f"there is no file `{what}`, and no campaign of this name is published")
        found = named
    if found.campaign.enter.schedule is None:
        raise ValueError(
            f"`{found.campaign.campaign}` has no schedule: people enter it one by one. A broadcast says "
            "`enter: {schedule: {at: 2026-12-24 10:00}}` (docs/broadcasts.md)"
        )
    return found


def _going_at(campaign: Campaign, at: str, now: datetime) -> Campaign:
    """The campaign with another time in its schedule. ValueError where it repeats, and for a time that is none."""
    if not isinstance(campaign.enter.schedule, Once):
        raise ValueError("--at is for a campaign that goes once; one that repeats goes at the times in its `schedule`")
    local = now.astimezone(campaign.tz).strftime("%Y-%m-%d %H:%M") if at == "now" else at
    document = campaign.to_document()
    try:
        document["enter"]["schedule"] = Once.model_validate({"at": local}).model_dump(mode="json")
    except ValidationError as error:
        raise ValueError(f"--at: {plain_words(error.errors()[0])}; or write `now`") from None
    return Campaign.model_validate(document)


def _due(campaign: Campaign, now: datetime) -> datetime:
    due = next_occurrence(campaign, now - JUST_NOW)
    if due is None:
        raise ValueError("its time is past, or not between its `starts` and `ends`; give another: --at now")
    return due


async def _plan(rooms: _Rooms, name: str, due: datetime) -> None:
    await broadcasts.plan(rooms.scheduler, [(name, due)])
    known = [
        one
        for one in await broadcasts.list_broadcasts(rooms.scheduler, 1000)
        if (one.campaign, one.due_at) == (name, due)
    ]
    if known and known[0].state in ("done", "cancelled"):
        raise ValueError(f"this broadcast of {shop_time(due)} is {known[0].state}; give another time with --at")


async def _show(settings: LocalSettings, rooms: _Rooms, published: PublishedCampaign, due: datetime) -> Fit:
    campaign, now = published.campaign, rooms.clock.now()
    audience = await audience_of(rooms.segmenter, campaign)
    count = await count_audience(rooms.segmenter, campaign, audience, now)
    typer.echo(f"campaign  {campaign.campaign} {campaign.name}".rstrip())
    typer.echo(f"due       {shop_time(due)}")
    typer.echo(
        f"people    {_in_words(count)}" + (f", {campaign.holdout}% of them held out" if campaign.holdout else "")
    )
    messages = round(count.people * (100 - campaign.holdout) / 100) * messages_each(published)
    config, wall = read_config(settings.config), rooms.clock.wall()
    check_account(config, campaign.account)
    books = Books(config.accounts, settings.transactional_reserve)
    async with rooms.dispatcher.acquire() as connection:
        fit = await fit_of(connection, books, campaign, messages, When(due - now + wall, now, wall))
    typer.echo(f"messages  {messages_words(fit)}")
    typer.echo(f"cost      {cost_words(fit)}")
    if campaign.enter.rate:
        seconds = count.people / campaign.enter.rate
        typer.echo(f"takes     {_roughly(timedelta(seconds=seconds))}, at {campaign.enter.rate} people a second")
    for remark in link_remarks(campaign, read_config(settings.config), settings.public_url):
        typer.echo(f"links     {remark}")
    for seen in await sample(rooms.scheduler, published, audience, now):
        typer.echo(f"to {seen.person}")
        for text in seen.texts:
            typer.echo("\n".join(f"  {line}" for line in text.splitlines()))
    return fit


async def _list(settings: LocalSettings) -> list[tuple[str, ...]]:
    async with _open(settings) as rooms:
        now = rooms.clock.now()
        return [_row(one, now) for one in await broadcasts.list_broadcasts(rooms.scheduler, _OVER)]


async def _cancel(settings: LocalSettings, name: str) -> list[str]:
    async with _open(settings) as rooms:
        gone = await broadcasts.cancel(rooms.scheduler, name, rooms.clock.now())
    if not gone:
        raise ValueError(
            f"no broadcast `{name}` is planned or under way, and none was over within a day; `todoke broadcast list` "
            "shows all"
        )
    return [
        f"{one.campaign} of {shop_time(one.due_at)}: cancelled; {one.entered:,} people were in it by then. What LINE "
        "does not have yet is taken back"
        for one in gone
    ]


def _row(one: Listed, now: datetime) -> tuple[str, ...]:
    speed = left = ""
    if one.started_at is not None:
        took = ((one.ended_at or now) - one.started_at).total_seconds()
        speed = f"{one.entered / took:,.0f}" if took > 0 else ""
        share = share_done(one.cursor)
        if one.state == "running" and share:
            left = _roughly(timedelta(seconds=took * (1 - share) / share))
    return one.campaign, shop_time(one.due_at), _state(one, now), f"{one.entered:,}", speed, left, str(one.id)


def _state(one: Listed, now: datetime) -> str:
    if one.state in ("done", "cancelled"):
        return f"{one.state}: {one.reason}" if one.reason else one.state
    words = "planned" if one.state == "planned" else f"{share_done(one.cursor):.0%} done"
    if one.paused_since is not None:
        return f"{words}, paused since {shop_time(one.paused_since)}"
    if one.state == "running" and one.next_at > now + JUST_NOW:
        return f"{words}, rests until {shop_time(one.next_at)}"
    return words


def _in_words(count: Count) -> str:
    return f"about {count.people:,} (± {count.error:,})" if count.error else f"{count.people:,}"


def _roughly(duration: timedelta) -> str:
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds}s" if minutes else f"{seconds}s"
