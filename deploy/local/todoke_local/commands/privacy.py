"""`todoke privacy list|done`: what customers and shops asked about their data, due within 30 days."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from todoke_ingest.adapters.privacy import ListedRequest, finish_request, list_requests
from todoke_local.settings import LocalSettings
from todoke_shared.postgres.pool import open_pool

app = typer.Typer(no_args_is_help=True, help="Requests to see or erase a person's data, as platforms pass them on.")


@app.command("list")
def list_(every: Annotated[bool, typer.Option("--all", help="Also what is done")] = False) -> None:
    """List the requests that are still to be carried out, most pressing first."""
    settings = LocalSettings()

    async def go() -> list[ListedRequest]:
        async with await open_pool(
            settings.need("postgres_dsn"), application="privacy", schema="ingest", size=1
        ) as pool:
            return list(await list_requests(pool, done=every))

    requests = asyncio.run(go())
    if not requests:
        Console().print("No requests." if every else "Nothing to do.")
        return
    table = Table(Column("request", no_wrap=True), "shop", "kind", "of", "received", "due", "done")
    for one in requests:
        days = (f"{day:%Y-%m-%d}" if day else "" for day in (one.received_at, one.due_at, one.done_at))
        table.add_row(one.id, one.shop, one.kind, one.subject or "(the shop)", *days)
    Console().print(table)


@app.command("done")
def done(request: Annotated[str, typer.Argument(help="The request's id, as `todoke privacy list` shows it")]) -> None:
    """Note that a request has been carried out. The row stays, as evidence."""
    settings = LocalSettings()

    async def go() -> ListedRequest:
        async with await open_pool(
            settings.need("postgres_dsn"), application="privacy", schema="ingest", size=1
        ) as pool:
            return await finish_request(pool, request)

    try:
        one = asyncio.run(go())
    except LookupError as error:
        raise ValueError(str(error)) from None
    Console().print(f"{one.kind} of {one.subject or one.shop}: done at {one.done_at:%Y-%m-%d %H:%M} UTC")
