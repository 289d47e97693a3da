"""`todoke links create|list`: tracked links for posters, QR codes and newsletters.

A new link's address is printed alone on standard output, so that it can be piped into whatever draws QR codes; all
words go to standard error.
"""

from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from todoke_dispatcher.adapters.links import NewLink, StoredLink, listed, store
from todoke_dispatcher.domain.links import check_destination, redirect_url
from todoke_local.in_room import Done, Work, in_room
from todoke_local.listing import print_list, shop_time
from todoke_local.names import check_shop
from todoke_local.settings import LocalSettings
from todoke_shared.accounts import Config, read_config
from todoke_shared.campaigns.durations import parse_duration
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.shops import Shop

MOST_LISTED = 1_000

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Make links whose clicks are counted.")

Campaign = Annotated[str | None, typer.Option(help="What its clicks are counted under, such as spring-2026")]
Step = Annotated[str | None, typer.Option(help="Which of the campaign's places, such as poster-shibuya")]
ShopName = Annotated[str, typer.Option("--shop", help="A shop of TODOKE_CONFIG")]
Expires = Annotated[str | None, typer.Option(help="How long it leads anywhere, such as 90d; without it, for ever")]


@app.command("create")
def create(
    url: Annotated[str, typer.Argument(help="Where it leads, beginning with https://")],
    campaign: Campaign = None,
    step: Step = None,
    shop: ShopName = "main",
    expires: Expires = None,
) -> None:
    """Make a link and print its address. Each click becomes an event `custom.link.clicked`."""
    settings = LocalSettings()
    config = read_config(settings.config)
    destination = check_destination(url, _shop(config, shop).link_hosts, trial=config.trial)
    lasts = None if expires is None else parse_duration(expires)

    async def work(pool: "asyncpg.Pool[asyncpg.Record]") -> str:
        now = (await open_clock(pool)).now()
        link = NewLink(destination, shop, campaign, step, expires_at=None if lasts is None else now + lasts)
        async with pool.acquire() as connection:
            [token] = await store(connection, [link], now)
        return token

    token = _run(work)
    Console().print(redirect_url(settings.links_base, token), soft_wrap=True, highlight=False)
    if settings.public_url is None:
        Console(stderr=True).print(
            "Only this machine can open it: set TODOKE_PUBLIC_URL to ingest's address as customers reach it.",
            soft_wrap=True,
        )


@app.command("list")
def list_() -> None:
    """List the links that stand in no message, the newest first."""
    settings = LocalSettings()
    read_config(settings.config)  # a mistake in it is told here already, and not by a service that does not start

    async def work(pool: "asyncpg.Pool[asyncpg.Record]") -> list[StoredLink]:
        async with pool.acquire() as connection:
            return await listed(connection, MOST_LISTED)

    headings = ("link", "leads to", "shop", "campaign", "step", "made", "until")
    print_list(headings, [_cells(settings, link) for link in _run(work)])


def _cells(settings: LocalSettings, link: StoredLink) -> tuple[str, ...]:
    until = shop_time(link.expires_at) if link.expires_at else ""
    address = redirect_url(settings.links_base, link.token)
    told = link.campaign or "", link.step or ""
    return address, link.destination, link.shop, *told, shop_time(link.created_at), until


def _shop(config: Config, name: str) -> Shop:
    check_shop(config, name)
    return config.shops.get(name, Shop())


def _run(work: Work[Done]) -> Done:
    return in_room("dispatcher", work, command="links")
