"""How the months of accounts and the budgets of campaigns stand: for gauges, for who is told, for `todoke quota`.

May block: on PostgreSQL. May lose: a line of the log, if a dispatcher dies between taking its turn and writing it.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg

from todoke_dispatcher.adapters import months
from todoke_dispatcher.adapters.months import Standing, Unplaced
from todoke_dispatcher.books import Books
from todoke_dispatcher.domain.forecast import LOOKS_BACK, forecast, passed, yen
from todoke_dispatcher.domain.quota import QuotaBook, day_of, month_of
from todoke_shared.clock import Clock
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.stream import Connection
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.quota")


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """An account's month: `waiting` and `held` have no place in it yet. `forecast`: messages at its end."""

    account: str
    book: QuotaBook
    standing: Standing
    waiting: Counter[Lane]
    held: Counter[Lane]
    forecast: int
    included: int
    price: Decimal | None

    def yen(self, messages: int) -> Decimal | None:
        """What so many messages of this month cost beyond the plan's fee; None: nobody has said what one costs."""
        return yen(messages, included=self.included, price=self.price)


@dataclass(frozen=True, slots=True)
class CampaignMonth:
    """A campaign's month, in all accounts. `limit`: what its budget allows, in messages; None: it has none."""

    campaign: str
    used: int
    limit: int | None
    held: int
    price: Decimal | None
    told: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Every account of the configuration, and every campaign that has sent, holds, or has a budget."""

    month: date
    accounts: list[AccountMonth]
    campaigns: list[CampaignMonth]


async def survey(connection: Connection, books: Books, now: datetime, wall: datetime) -> Survey:
    """Look at everything. `now` is the shop's time, which broadcasts are planned by."""
    month, names = month_of(wall), books.accounts.keys()
    standings = await months.standings(connection, month, names)
    days = await months.by_day(connection, names, day_of(wall) - LOOKS_BACK)
    planned = await months.broadcasts(connection, names, now - wall)
    unplaced = await months.unplaced(connection, names)
    accounts = []
    for name, account in sorted(books.accounts.items()):
        book = await books.read(connection, name, wall)
        own = [one for one in unplaced if one.account == name]
        waiting = by_lane(own, held=False)
        broadcasts = [one for some in planned.get(name, {}).values() for one in some]
        expected = forecast(book.used, days.get(name, {}), waiting.total(), broadcasts, wall)
        standing = standings.get(name, Standing())
        held = by_lane(own, held=True)
        accounts.append(
            AccountMonth(name, book, standing, waiting, held, expected, account.included, account.price_yen)
        )
    return Survey(month, accounts, _campaigns(books, await months.campaigns(connection, month), unplaced))


def by_lane(unplaced: Iterable[Unplaced], *, held: bool) -> Counter[Lane]:
    """How many of these are held, or wait."""
    counted: Counter[Lane] = Counter()
    for one in unplaced:
        if one.is_held is held:
            counted[one.lane] += one.messages
    return counted


def _campaigns(books: Books, used: dict[str, tuple[int, int]], unplaced: Iterable[Unplaced]) -> list[CampaignMonth]:
    held: Counter[str] = Counter()
    for one in unplaced:
        if one.campaign is not None and one.is_held:
            held[one.campaign] += one.messages
    return [
        CampaignMonth(
            name,
            used.get(name, (0, 0))[0],
            books.limit_of(name),
            held[name],
            books.price_of(name),
            used.get(name, (0, 0))[1],
        )
        for name in sorted(used.keys() | held.keys() | books.budgeted)
    ]


class Overseer:
    """Keeps the gauges, and has each threshold told once a month, by one dispatcher of the fleet."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock, books: Books) -> None:
        self._pool = pool
        self._clock = clock
        self._books = books

    async def look(self) -> None:
        """Once."""
        async with self._pool.acquire() as connection:
            await self._books.learn(connection)
            seen = await survey(connection, self._books, self._clock.now(), self._clock.wall())
            for account in seen.accounts:
                await _look_at_account(connection, seen.month, account)
            for campaign in seen.campaigns:
                await _look_at_campaign(connection, seen.month, campaign)


async def _look_at_account(connection: Connection, month: date, seen: AccountMonth) -> None:
    name, used, limit = seen.account, seen.book.used, seen.book.limit
    metrics.QUOTA_USED.labels(name).set(used)
    metrics.QUOTA_FORECAST.labels(name).set(seen.forecast)
    if limit is not None:
        metrics.QUOTA_LIMIT.labels(name).set(limit)
    if seen.standing.line is not None:
        metrics.QUOTA_LINE.labels(name).set(seen.standing.line.month.used)
    told = seen.standing.told
    news = passed(used, limit, told)
    if news and await months.tell_account(connection, name, month, told, news[-1]):
        for percent in news:
            logger.warning(
                "account %s has used %d%% of its month: %d of %d messages, %d of these elsewhere; see `todoke quota`",
                *(name, percent, used, limit, seen.book.elsewhere),
            )


async def _look_at_campaign(connection: Connection, month: date, seen: CampaignMonth) -> None:
    if seen.limit is None:
        return
    metrics.BUDGET_USED.labels(seen.campaign).set(seen.used)
    metrics.BUDGET_LIMIT.labels(seen.campaign).set(seen.limit)
    news = passed(seen.used, seen.limit, seen.told)
    if news and await months.tell_campaign(connection, seen.campaign, month, seen.told, news[-1]):
        for percent in news:
            logger.warning(
                "campaign %s has used %d%% of its month's budget: %d of %d messages",
                seen.campaign,
                percent,
                seen.used,
                seen.limit,
            )
