"""`todoke deliveries unknown|settle`: messages of which nobody knows whether LINE has them."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from todoke_dispatcher.adapters.settlements import Unknown, list_unknown
from todoke_dispatcher.domain.settling import Decision
from todoke_dispatcher.settling import settle as settle_in
from todoke_local.listing import shop_time
from todoke_local.settings import LocalSettings
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.pool import open_pool

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Messages of which nobody knows whether LINE has them."
)

LISTED = 100
_EVERY = 2_000_000_000
_MEANS = {
    Decision.ACCEPTED: "LINE took it",
    Decision.DROP: "leave it at that",
    Decision.RESEND: "send it as a new, paid message",
}
_DONE = {
    Decision.ACCEPTED: "counted as accepted",
    Decision.DROP: "let go; nothing is sent",
    Decision.RESEND: "to be sent again. To LINE that is new and paid for once more; whoever has the first gets two",
}


@app.command("unknown")
def unknown(
    account: Annotated[str | None, typer.Option("--account", help="Of this account alone")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of them, a JSON object a line")] = False,
) -> None:
    """List the messages that LINE may have and whose retry keys are over, with the commands that settle each."""

    async def go() -> tuple[list[Unknown], int]:
        dsn = LocalSettings().need("postgres_dsn")
        pool = await open_pool(dsn, application="deliveries", schema="dispatcher", size=1)
        async with pool, pool.acquire() as connection:
            return await list_unknown(connection, account, _EVERY if as_json else LISTED)

    listed, number = asyncio.run(go())
    for line in _objects(listed) if as_json else _words(listed, number):
        typer.echo(line)


@app.command("settle")
def settle(
    name: Annotated[
        UUID,
        typer.Argument(help="A message's id; a multicast's or a reply's: all of it that is unknown", metavar="ID"),
    ],
    decision: Annotated[
        Decision, typer.Argument(help="accepted: LINE has it. resend: as a new message. drop: let it go")
    ],
    by: Annotated[str, typer.Option("--by", help="Who decides")],
    reason: Annotated[str, typer.Option("--reason", help="What they know")],
) -> None:
    """Decide about a message that is unknown. Who, when and why is kept, and told with the outcome."""
    by, reason = _said(by, "--by"), _said(reason, "--reason")

    async def go() -> int:
        dsn = LocalSettings().need("postgres_dsn")
        async with await open_pool(dsn, application="deliveries", schema="dispatcher", size=1) as pool:
            clock = await sample_clock(pool)
            async with pool.acquire() as connection, connection.transaction():
                settled = await settle_in(
                    connection, name, decision, by=by, reason=reason, now=clock.now, wall=clock.wall
                )
                return len(settled)

    number = asyncio.run(go())
    typer.echo(f"{number:,} message{'' if number == 1 else 's'} {_DONE[decision]}")


def _said(words: str, option: str) -> str:
    words = " ".join(words.split())
    if not words or len(words) > 300:
        raise ValueError(f"give {option} in 1 to 300 characters: it is kept for whoever asks later")
    return words


def _commands(name: UUID) -> dict[str, str]:
    return {each.value: f"todoke deliveries settle {name} {each.value} --by NAME --reason TEXT" for each in _MEANS}


def _objects(listed: list[Unknown]) -> Iterator[str]:
    for each in listed:
        record = asdict(each) | {"settle": _commands(each.message_id)}
        if _left_in(each) is None:
            del record["together"]
        yield json.dumps(record, default=str, ensure_ascii=False)


def _words(listed: list[Unknown], number: int) -> Iterator[str]:
    if not listed:
        yield "Nothing is unknown."
        return
    for each in listed:
        of = f"campaign {each.campaign}, step {each.step or '?'}" if each.campaign else "no campaign's"
        person = f"person {each.person_id}" if each.person_id else "a person not known"
        yield f"{each.message_id}  {of}, {person}, account {each.account}"
        yield f"  first attempted {shop_time(each.first_attempt_at)}, {each.attempts} attempts; {each.reason}"
        left_in = _left_in(each)
        what = "multicast" if each.multicast_id is not None else "reply"
        if left_in is not None:
            yield f"  one of {each.together:,} of {what} {left_in}: LINE has all of them, or none"
        yield from _ways(each.message_id)
        if left_in is not None:
            yield f"  all of the {what}:"
            yield from _ways(left_in)
    if number > len(listed):
        yield f"{number - len(listed):,} more; --json lists all"


def _left_in(each: Unknown) -> UUID | None:
    """What it shares its fate with."""
    return each.multicast_id or each.reply_id


def _ways(name: UUID) -> Iterator[str]:
    commands = _commands(name)
    width = max(map(len, commands.values()))
    for decision, meaning in _MEANS.items():
        yield f"  {commands[decision.value]:<{width}}  # {meaning}"
