"""`todoke quota`: how the month stands; `todoke quota unpark ACCOUNT`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from todoke_dispatcher.adapters.channels import unpark as unpark_channel
from todoke_dispatcher.books import Books
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.overseeing import Survey, survey
from todoke_local import quota_words
from todoke_local.listing import print_list, shop_time
from todoke_local.names import check_account
from todoke_local.settings import LocalSettings
from todoke_shared.accounts import read_config
from todoke_shared.clock import Clock
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def quota(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False
) -> None:
    """Show each account's month and each campaign's budget: used, left, held, where it ends, in messages and yen."""
    if context.invoked_subcommand is not None:
        return
    asyncio.run(_show(LocalSettings(), as_json=as_json))


@app.command()
def unpark(account: Annotated[str, typer.Argument(help="A LINE account of TODOKE_CONFIG")]) -> None:
    """Let an account go on for which LINE said that its month is used up. If LINE says so again, it is parked again."""
    typer.echo(asyncio.run(_unpark(LocalSettings(), account)))


async def _show(settings: LocalSettings, *, as_json: bool) -> None:
    books = Books(read_config(settings.config).accounts, settings.transactional_reserve)
    async with _open(settings) as (connection, clock):
        await books.learn(connection)
        seen = await survey(connection, books, clock.now(), clock.wall())
        if as_json:
            typer.echo(json.dumps(quota_words.as_json(seen, clock.wall()), ensure_ascii=False, indent=2))
        else:
            _print(seen)


def _print(seen: Survey) -> None:
    typer.echo(f"{seen.month:%Y-%m}\n")
    print_list(quota_words.ACCOUNTS, map(quota_words.account_row, seen.accounts))
    if seen.campaigns:
        typer.echo()
        print_list(quota_words.CAMPAIGNS, map(quota_words.campaign_row, seen.campaigns))


async def _unpark(settings: LocalSettings, account: str) -> str:
    check_account(read_config(settings.config), account)
    async with _open(settings) as (connection, clock):
        if not await unpark_channel(connection, account, month_of(clock.wall())):
            return f"{account} is not parked; `todoke quota` shows what its month has left"
        return (
            f"{account} goes on since {shop_time(clock.wall())}: its held messages go out, as far as the month has room"
        )


@asynccontextmanager
async def _open(settings: LocalSettings) -> AsyncIterator[tuple[Connection, Clock]]:
    dsn = settings.need("postgres_dsn")
    async with await open_pool(dsn, application="quota", schema="dispatcher", size=1) as pool:
        clock = await open_clock(pool)
        async with pool.acquire() as connection:
            yield connection, clock
