"""`todoke privacy list|done`: what customers and shops asked about their data, due within 30 days."""

from typing import Annotated

import typer
from rich.console import Console

from todoke_ingest.adapters.privacy import ListedRequest, finish_request, list_requests
from todoke_local.in_room import in_room
from todoke_local.listing import print_list, shop_time

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Requests to see or erase a person's data, as platforms pass them on.",
)


@app.command("list")
def list_(every: Annotated[bool, typer.Option("--all", help="Also what is done")] = False) -> None:
    """List the requests that are still to be carried out, most pressing first."""
    requests = in_room("ingest", lambda pool: list_requests(pool, done=every), command="privacy")
    if not requests:
        Console().print("No requests." if every else "Nothing to do.")
        return
    print_list(("request", "shop", "kind", "of", "received", "due", "done"), map(_cells, requests))


@app.command("done")
def done(request: Annotated[str, typer.Argument(help="The request's id, as `todoke privacy list` shows it")]) -> None:
    """Note that a request has been carried out. The row stays, as evidence."""
    try:
        one = in_room("ingest", lambda pool: finish_request(pool, request), command="privacy")
    except LookupError as error:
        raise ValueError(str(error)) from None
    Console().print(f"{one.kind} of {one.subject or one.shop}: done at {shop_time(one.done_at) if one.done_at else ''}")


def _cells(one: ListedRequest) -> tuple[str, ...]:
    times = (shop_time(at) if at else "" for at in (one.received_at, one.due_at, one.done_at))
    return one.id, one.shop, one.kind, one.subject or "(the shop)", *times
