"""`todoke campaigns check|publish|list`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from todoke_local.campaign_check import check_campaigns
from todoke_local.listing import print_list
from todoke_local.segment_check import published_segments
from todoke_local.settings import LocalSettings
from todoke_scheduler.adapters.publishing import Listed, Publication, list_campaigns
from todoke_scheduler.adapters.publishing import publish as publish_all
from todoke_shared.postgres.pool import open_pool
from todoke_shared.segments.source import readable_segments

app = typer.Typer(no_args_is_help=True, help="Write, check and publish campaigns.")

Folder = Annotated[Path | None, typer.Argument(help="A campaign file or a folder of them (default: TODOKE_CAMPAIGNS)")]


@app.command("check")
def check(folder: Folder = None) -> None:
    """Report every mistake in campaign files, with file, line and what to write instead."""
    settings = LocalSettings()
    campaigns = check_campaigns(folder or settings.campaigns, readable_segments(settings.segments))
    Console().print(f"{len(campaigns)} {'campaign' if len(campaigns) == 1 else 'campaigns'}, no mistakes.")


@app.command("publish")
def publish(folder: Folder = None) -> None:
    """Check campaigns and put them in force. A changed campaign becomes a new version; the old one is kept.

    A segment that a campaign names must be published before it.
    """
    settings = LocalSettings()

    async def go() -> list[Publication]:
        campaigns = check_campaigns(
            folder or settings.campaigns, await published_segments(settings.need("postgres_dsn"))
        )
        async with await open_pool(
            settings.need("postgres_dsn"), application="publish", schema="scheduler", size=1
        ) as pool:
            return await publish_all(pool, campaigns)

    for publication in asyncio.run(go()):
        state = "published" if publication.new else "unchanged"
        Console().print(f"{publication.campaign}: version {publication.version}, {state}")


@app.command("list")
def list_() -> None:
    """List the campaigns in force, with how many people are in each and have been through it."""
    settings = LocalSettings()

    async def go() -> list[Listed]:
        async with await open_pool(
            settings.need("postgres_dsn"), application="list", schema="scheduler", size=1
        ) as pool:
            return await list_campaigns(pool)

    print_list(
        ("campaign", "name", "version", "active", "done", "ended early"),
        [
            (row.campaign, row.name, *map(str, (row.version, row.active, row.done, row.ended)))
            for row in asyncio.run(go())
        ],
    )
