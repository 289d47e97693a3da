"""What all dispatchers share about a LINE account: whether it may send, its time slots, its month."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import asyncpg

from todoke_dispatcher.domain.decide import Channel
from todoke_dispatcher.domain.quota import Parked, Places, QuotaBook, lower_of, month_after
from todoke_dispatcher.domain.rate import FURTHEST, HORIZON, Slots, spacing_us, to_us
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "channels.sql")
LANES = ("transactional", "marketing")
"""In the order in which the statements take their numbers."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of LINE's endpoints for one account, and the requests a second that it takes."""

    account: str
    name: str
    per_second: int


class QuotaExceededError(RuntimeError):
    """A reservation did not fit although the month's row was locked: a defect. Nothing was reserved or sent."""


async def add(connection: Connection, accounts: Iterable[str]) -> None:
    """Make the accounts known. Harmless when they are."""
    await connection.execute(_SQL["add_channels"], sorted(accounts))


async def due(connection: Connection, accounts: Iterable[str], wall: datetime) -> list[Channel]:
    """The channels that have something to send and are not asked to slow down."""
    rows = await connection.fetch(_SQL["due_channels"], sorted(accounts), wall)
    return [Channel(row["account"], row["stopped"]) for row in rows]


async def open_accounts(connection: Connection, accounts: Iterable[str]) -> list[str]:
    """The accounts that are not stopped."""
    return [row["account"] for row in await connection.fetch(_SQL["open_channels"], sorted(accounts))]


async def take_slots(connection: Connection, endpoint: Endpoint, wall: datetime, wanted: int) -> Slots:
    """Up to `wanted` time slots that are nobody else's, none of them further ahead than the horizon."""
    if wanted == 0:
        return Slots(to_us(wall), 0, 0)
    spacing = spacing_us(endpoint.per_second)
    row = await connection.fetchrow(
        _SQL["take_slots"],
        endpoint.account,
        endpoint.name,
        to_us(wall),
        wanted,
        spacing,
        HORIZON // timedelta(microseconds=1),
        FURTHEST // timedelta(microseconds=1),
    )
    if row is None:
        raise LookupError(f"account {endpoint.account} has no rate row for {endpoint.name}: call channels.add first")
    return Slots(row["first"], row["granted"], spacing)


async def lock_quota(connection: Connection, account: str, month: date, limit: int | None, reserve: float) -> QuotaBook:
    """The month's book, locked until the transaction ends."""
    row = await connection.fetchrow(_SQL["lock_quota"], account, month)
    if row is None:
        await connection.execute(_SQL["add_quota"], account, month)
        row = await connection.fetchrow(_SQL["lock_quota"], account, month)
    return _book(month, limit, reserve, row)


async def read_quota(connection: Connection, account: str, month: date, limit: int | None, reserve: float) -> QuotaBook:
    """The month's book as it stands, to decide whether a look is worth it."""
    row = await connection.fetchrow(_SQL["read_quota"], account, month)
    return _book(month, limit, reserve, row)


def _book(month: date, limit: int | None, reserve: float, row: asyncpg.Record | None) -> QuotaBook:
    if row is None:
        return QuotaBook(month, limit, reserve)
    told = dict(row)
    return QuotaBook(month, lower_of(limit, told.pop("line_limit")), reserve, **told)


async def reserve(connection: Connection, account: str, today: date, places: Places, limit: int | None) -> None:
    """Take these places of today's month. QuotaExceededError when they do not fit under `limit`, or LINE's own."""
    month, counts = today.replace(day=1), _by_lane(places)
    if not await connection.fetchrow(_SQL["reserve_quota"], account, month, *counts, limit, today):
        raise QuotaExceededError(f"account {account}: {sum(counts)} messages do not fit into the monthly limit")


async def give_back(connection: Connection, account: str, month: date, places: Places, today: date) -> None:
    """Give these places of the month back: LINE has definitively not taken them. They leave the count of today's day.

    Once the month is over, that of its last day.
    """
    day = min(today, month_after(month) - timedelta(days=1))
    await connection.execute(_SQL["give_back_quota"], account, month, *_by_lane(places), day)


def _by_lane(places: Places) -> tuple[int, int]:
    by_lane = [sum(number for (lane, _), number in places.items() if lane == one) for one in LANES]
    return by_lane[0], by_lane[1]


async def park(connection: Connection, account: str, month: date, parked: Parked) -> None:
    """LINE says that the month is used up."""
    await connection.execute(_SQL["park"], account, month, parked)


async def stop(connection: Connection, account: str, reason: str) -> None:
    """LINE takes nothing from the channel until an operator has seen to it."""
    await connection.execute(_SQL["stop"], account, reason)


async def pause(connection: Connection, account: str, until: datetime) -> None:
    """LINE asked to slow down: no dispatcher claims for the channel before `until` (wall)."""
    await connection.execute(_SQL["pause"], account, until)


async def resume(connection: Connection, account: str) -> None:
    """An operator has mended what stopped the channel: its held messages go on."""
    await connection.execute(_SQL["resume"], account)


async def unpark(connection: Connection, account: str, month: date) -> bool:
    """An operator knows that LINE takes messages again this month; gives whether it was parked."""
    return await connection.fetchrow(_SQL["unpark"], account, month) is not None
