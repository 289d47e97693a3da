"""How accounts' months stand, as those see it who look after them. Every function is one statement."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from todoke_dispatcher.domain.forecast import Broadcast
from todoke_dispatcher.domain.line_month import LineMonth
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "months.sql")


@dataclass(frozen=True, slots=True)
class LineSaid:
    """LINE's word, when it was said, and what the ledger had then."""

    month: LineMonth
    at: datetime
    ours: int


@dataclass(frozen=True, slots=True)
class Standing:
    """`line`: LINE's last word on this month. `told`: the highest percentage of the limit that was told of."""

    line: LineSaid | None = None
    told: int = 0


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Messages that have no place in a month: those that wait, and those that are held."""

    account: str
    campaign: str | None
    lane: Lane
    is_held: bool
    messages: int


async def standings(connection: Connection, month: date, accounts: Collection[str]) -> dict[str, Standing]:
    """By account; one that has no message yet is not there."""
    found: dict[str, Standing] = {}
    for row in await connection.fetch(_SQL["read_months"], month, sorted(accounts)):
        said = None
        if row["line_at"] is not None:
            said = LineSaid(LineMonth(row["line_limit"], row["line_used"]), row["line_at"], row["line_ours"])
        found[row["account"]] = Standing(said, row["told"])
    return found


async def by_day(connection: Connection, accounts: Collection[str], since: date) -> dict[str, dict[date, int]]:
    """What each day has added, by account."""
    found: defaultdict[str, dict[date, int]] = defaultdict(dict)
    for row in await connection.fetch(_SQL["read_days"], sorted(accounts), since):
        found[row["account"]][row["day"]] = row["messages"]
    return found


async def campaigns(connection: Connection, month: date) -> dict[str, tuple[int, int]]:
    """What each campaign has reserved of the month, and the highest percentage of its budget that was told of."""
    rows = await connection.fetch(_SQL["read_all_campaigns"], month)
    return {row["campaign"]: (row["messages"], row["told"]) for row in rows}


async def unplaced(connection: Connection, accounts: Collection[str]) -> list[Unplaced]:
    """What waits and what is held, by account, campaign and lane."""
    rows = await connection.fetch(_SQL["read_unplaced"], sorted(accounts))
    return [
        Unplaced(row["account"], row["campaign"], row["lane"], row["state"] == "held", row["messages"]) for row in rows
    ]


async def broadcasts(
    connection: Connection, accounts: Collection[str], ahead: timedelta
) -> dict[str, dict[str, list[Broadcast]]]:
    """What is planned and under way, by account and campaign. `ahead`: how far the shop's time is before LINE's."""
    found: defaultdict[str, dict[str, list[Broadcast]]] = defaultdict(dict)
    for row in await connection.fetch(_SQL["read_broadcasts"], sorted(accounts)):
        one = Broadcast(row["due_at"] - ahead, row["messages_left"], row["messages"], row["every"])
        found[row["account"]].setdefault(row["campaign"], []).append(one)
    return found


async def take_turn(connection: Connection, account: str, month: date, wall: datetime, until: datetime) -> bool:
    """Whether to ask LINE now; if so, nobody else does before `until`."""
    return await connection.fetchrow(_SQL["take_turn"], account, month, wall, until) is not None


async def store_line(  # noqa: PLR0913 - what is kept
    connection: Connection, account: str, month: date, said: LineMonth, *, wall: datetime, ask_at: datetime
) -> int | None:
    """Keep LINE's word beside ours; gives ours."""
    row = await connection.fetchrow(_SQL["store_line"], account, month, said.limit, said.used, wall, ask_at)
    return None if row is None else row["ours"]


async def tell_account(connection: Connection, account: str, month: date, told: int, now_told: int) -> bool:
    """Whether it is ours to tell that an account has passed thresholds up to `now_told`."""
    return await connection.fetchrow(_SQL["tell_account"], account, month, told, now_told) is not None


async def tell_campaign(connection: Connection, campaign: str, month: date, told: int, now_told: int) -> bool:
    """The same of a campaign's budget."""
    return await connection.fetchrow(_SQL["tell_campaign"], campaign, month, told, now_told) is not None
