"""The month's books: what an account and its campaigns may send, and what they have reserved of it.

May block: on PostgreSQL, and on another dispatcher that reserves from the same account's month or campaign's budget.
May lose: nothing; a reservation is part of its claim's transaction.
Order of locks: the account's month, then campaigns by name; where there are two months, the later one first. One
transaction locks all campaigns it is about in one go.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import date, datetime
from decimal import Decimal

from pydantic import ValidationError

from todoke_dispatcher.adapters import budgets, channels
from todoke_dispatcher.adapters.budgets import Version
from todoke_dispatcher.domain.quota import CampaignBook, Counted, Places, QuotaBook, day_of, month_of
from todoke_shared.accounts import Account
from todoke_shared.campaigns.limits import Budget
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.stream import Connection

logger = logging.getLogger("todoke.dispatcher")


class Books:
    """The books of all accounts, by what the configuration and the campaigns in force say. `reserve`: a share, 0 to 1.

    `learn` first, and again for what is published.
    """

    def __init__(self, accounts: Mapping[str, Account], reserve: float) -> None:
        self._accounts = accounts
        self._reserve = reserve
        self._known: dict[Version, tuple[str, Budget | None]] = {}
        self._budgets: dict[str, Budget] = {}
        self._account_of: dict[str, str] = {}

    async def learn(self, connection: Connection) -> None:
        """Learn the budgets in force. A version never changes, so each is read once."""
        current = await budgets.current_versions(connection)
        unread = current - self._known.keys()
        if unread:
            told = await budgets.budgets(connection, unread)
            self._known |= {version: (account, self._read(version, b)) for version, (account, b) in told.items()}
        found = {name: self._known[name, number] for name, number in current if (name, number) in self._known}
        self._budgets = {name: budget for name, (_, budget) in found.items() if budget is not None}
        self._account_of = {name: account for name, (account, _) in found.items()}

    @property
    def accounts(self) -> Mapping[str, Account]:
        """What the configuration says of each account."""
        return self._accounts

    @property
    def budgeted(self) -> Set[str]:
        """The campaigns in force that have a budget."""
        return self._budgets.keys()

    def limit_of(self, campaign: str) -> int | None:
        """How many messages a month this campaign may send by its own account; None: it has no budget."""
        budget = self._budgets.get(campaign)
        return None if budget is None else budget.messages_at(self.price_of(campaign))

    def price_of(self, campaign: str) -> Decimal | None:
        """What a message of this campaign costs, in yen; None: nobody has said."""
        account = self._accounts.get(self._account_of.get(campaign, ""))
        return None if account is None else account.price_yen

    def limits(self, account: str) -> dict[str, int]:
        """How many messages a month each campaign with a budget may send by this account."""
        price = self._accounts[account].price_yen
        return {name: budget.messages_at(price) for name, budget in self._budgets.items()}

    async def lock(
        self, connection: Connection, account: str, campaigns: Iterable[str | None], wall: datetime
    ) -> QuotaBook:
        """The account's month with these campaigns, locked until the transaction ends."""
        month, names = month_of(wall), {name for name in campaigns if name is not None}
        book = await channels.lock_quota(connection, account, month, self._limit(account), self._reserve)
        if not names:
            return book
        return self._with_campaigns(book, account, await budgets.lock(connection, month, names))

    async def read(self, connection: Connection, account: str, wall: datetime) -> QuotaBook:
        """The account's month with every campaign that has a budget, as it stands."""
        month = month_of(wall)
        book = await channels.read_quota(connection, account, month, self._limit(account), self._reserve)
        used = await budgets.read(connection, month, self._budgets) if self._budgets else {}
        return self._with_campaigns(book, account, {name: used.get(name, 0) for name in self._budgets})

    async def reserve(
        self, connection: Connection, account: str, book: QuotaBook, places: Places, wall: datetime
    ) -> None:
        """Take these places of the month that was locked at `wall`. QuotaExceededError when they do not fit."""
        if not places:
            return
        await channels.reserve(connection, account, day_of(wall), places, self._limit(account))
        owed: Counter[str] = Counter()
        for (_, campaign), number in places.items():
            if campaign is not None:
                owed[campaign] += number
        if owed:
            limits = {name: one.limit for name, one in book.campaigns.items()}
            await budgets.reserve(connection, book.month, owed, limits)

    async def place(
        self,
        connection: Connection,
        account: str,
        book: QuotaBook,
        sent: Iterable[tuple[Counted, Lane, int]],
        wall: datetime,
    ) -> None:
        """Reserve for what goes out, with its lane and number of messages, as far as it has no place in the month yet.

        Its place in a month before is given back, unless LINE may have counted it there.
        """
        places: Places = Counter()
        left: defaultdict[tuple[str, date], Places] = defaultdict(Counter)
        for one, lane, messages in sent:
            if book.holds(one):
                continue
            places[lane, one.campaign] += messages
            if one.quota_month is not None and not one.ambiguous:
                left[account, one.quota_month][lane, one.campaign] += messages
        await self.reserve(connection, account, book, places, wall)
        await give_back(connection, left, wall)

    def _limit(self, account: str) -> int | None:
        return self._accounts[account].monthly_limit

    def _with_campaigns(self, book: QuotaBook, account: str, used: Mapping[str, int]) -> QuotaBook:
        limits = self.limits(account)
        campaigns = {name: CampaignBook(messages, limits.get(name)) for name, messages in used.items()}
        return book.with_campaigns(campaigns)

    def _read(self, version: Version, written: object) -> Budget | None:
        if written is None:
            return None
        try:
            return Budget.model_validate(written)
        except ValidationError as error:
            logger.error("campaign %s has a budget that this release cannot read (%s)", version[0], bad_message(error))
            return _NOTHING


def _later_first(freed: tuple[tuple[str, date], Places]) -> tuple[int, str]:
    (account, month), _ = freed
    return -month.toordinal(), account


_NOTHING = Budget.model_construct(messages=0)
"""A newer release's budget is not "no budget": the messages are held until that release sends them."""


async def give_back(connection: Connection, freed: Mapping[tuple[str, date], Places], wall: datetime) -> None:
    """Give places back, by account and month: LINE has definitively not taken those messages."""
    owed: defaultdict[tuple[date, str], int] = defaultdict(int)
    for (account, month), places in sorted(freed.items(), key=_later_first):
        await channels.give_back(connection, account, month, places, day_of(wall))
        for (_, campaign), number in places.items():
            if campaign is not None:
                owed[month, campaign] += number
    await budgets.give_back(connection, owed)
