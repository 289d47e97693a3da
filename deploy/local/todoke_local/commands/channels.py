"""`todoke channels list|resume`: LINE accounts whose messages stand still."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeAlias, TypeVar

import typer

from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.operating import ListedChannel, list_channels
from todoke_local.listing import print_list, shop_time
from todoke_local.settings import LocalSettings
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection

app = typer.Typer(no_args_is_help=True, add_completion=False, help="LINE accounts: which of them stand still, and why.")

AccountName = Annotated[str, typer.Argument(help="As `todoke channels list` shows it", metavar="ACCOUNT")]
Done = TypeVar("Done")
Work: TypeAlias = Callable[[Connection, datetime], Awaitable[Done]]


@app.command("list")
def list_() -> None:
    """List the accounts: stopped by LINE, asked to slow down, parked for the month; messages held and unknown."""
    headings = ("account", "stopped", "paused until", "parked", "held", "unknown")
    print_list(headings, map(_cells, _run(list_channels)))


@app.command("resume")
def resume(account: AccountName) -> None:
    """Let an account send again that LINE had stopped (401, 403) or asked to slow down: what it held goes on."""

    async def work(connection: Connection, wall: datetime) -> ListedChannel:
        found = await _find(connection, account, wall)
        await channels.resume(connection, account)
        return found

    found = _run(work)
    was = f"was stopped ({found.stopped})" if found.stopped else "was not stopped"
    typer.echo(f"{account} {was}; its {found.held:,} held messages go on")
    if found.parked:
        typer.echo(f"but LINE says that its month is used up ({found.parked}): `todoke quota unpark {account}`")


async def _find(connection: Connection, account: str, wall: datetime) -> ListedChannel:
    listed = {each.account: each for each in await list_channels(connection, wall)}
    if account not in listed:
        raise ValueError(f"no dispatcher knows the account `{account}`; it knows {', '.join(listed) or 'none yet'}")
    return listed[account]


def _run(work: Work[Done]) -> Done:
    async def go() -> Done:
        dsn = LocalSettings().need("postgres_dsn")
        async with await open_pool(dsn, application="channels", schema="dispatcher", size=1) as pool:
            wall = (await sample_clock(pool)).wall
            async with pool.acquire() as connection, connection.transaction():
                return await work(connection, wall)

    return asyncio.run(go())


def _cells(each: ListedChannel) -> tuple[str, ...]:
    until = shop_time(each.paused_until) if each.paused_until else ""
    return each.account, each.stopped or "", until, each.parked or "", f"{each.held:,}", f"{each.unknown:,}"
