"""What a broadcast takes of the account's month and of its campaign's budget, and what it costs, before it goes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from todoke_dispatcher.adapters import months
from todoke_dispatcher.adapters.months import Unplaced
from todoke_dispatcher.books import Books
from todoke_dispatcher.domain.forecast import Broadcast, still_to_come, yen
from todoke_dispatcher.domain.quota import QuotaBook, month_after, month_of
from todoke_shared.campaigns.model import Campaign
from todoke_shared.postgres.stream import Connection

Broadcasts = dict[str, list[Broadcast]]
"""What is planned, by campaign."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`messages`: of the whole broadcast. `room`: what its month has left for its lane; None: no limit is known.

    `ahead`: what waits, is held, or is planned beside it. `budget`: what its campaign's budget has left; None: it has
    none. `used`: messages that the month has by then, for the price of the next one.
    """

    messages: int
    room: int | None
    ahead: int
    budget: int | None
    used: int
    included: int
    price: Decimal | None

    @property
    def wanted(self) -> int:
        """How many it may send by its own budget."""
        return self.messages if self.budget is None else min(self.messages, self.budget)

    @property
    def goes(self) -> int:
        """How many go out this month."""
        return self.wanted if self.room is None else min(self.wanted, self.room)

    @property
    def fits(self) -> bool:
        """Whether the account's month has room for all that the budget allows; to stop at that is its own will."""
        return self.goes == self.wanted

    @property
    def yen(self) -> Decimal | None:
        """What those cost that go out, beyond the plan's fee; None: nobody has said what one costs."""
        before = yen(self.used, included=self.included, price=self.price)
        after = yen(self.used + self.goes, included=self.included, price=self.price)
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class When:
    """When it goes, by LINE's time; and what time it is, for the shop and for LINE."""

    due: datetime
    now: datetime
    wall: datetime


async def fit_of(connection: Connection, books: Books, campaign: Campaign, messages: int, when: When) -> Fit:
    """Hold so many messages of a campaign against what there is."""
    await books.learn(connection)
    name, month, this_month = campaign.account, month_of(when.due), month_of(when.wall)
    account, book = books.accounts[name], await books.read(connection, name, when.wall)
    if month != this_month:
        book = QuotaBook(month, book.limit, book.reserve)
    demand = _demand(
        [
            one
            for one in await months.unplaced(connection, [name])
            if (one.is_held or month == this_month) and (one.lane == "marketing" or campaign.lane == "transactional")
        ],
        (await months.broadcasts(connection, [name], when.now - when.wall)).get(name, {}),
        month,
        but=campaign.campaign,
    )
    rooms = _rooms(books, campaign, await months.campaigns(connection, month))
    taking = {one: min(number, rooms.get(one, number)) for one, number in demand.items()}
    room, ahead = book.room(campaign.lane), sum(taking.values())
    return Fit(
        messages=messages,
        room=None if room is None else max(0, room - ahead),
        ahead=ahead,
        budget=None if campaign.budget is None else rooms[campaign.campaign] - taking.get(campaign.campaign, 0),
        used=book.used + ahead,
        included=account.included,
        price=account.price_yen,
    )


def _rooms(books: Books, campaign: Campaign, sent: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """What budgets have left: those in force, and our own as the file has it: to publish it is what comes next."""
    limits = {one: most for one, most in books.limits(campaign.account).items() if one != campaign.campaign}
    if campaign.budget is not None:
        limits[campaign.campaign] = campaign.budget.messages_at(books.accounts[campaign.account].price_yen)
    return {one: max(0, most - sent.get(one, (0, 0))[0]) for one, most in limits.items()}


def _demand(unplaced: list[Unplaced], planned: Broadcasts, month: date, *, but: str) -> Counter[str]:
    """Messages that want a place in the month, by campaign (empty: of none), `but` the broadcasts of one."""
    found: Counter[str] = Counter()
    for one in unplaced:
        found[one.campaign or ""] += one.messages
    end = month_after(month)
    for campaign, broadcasts in planned.items():
        if campaign == but:
            continue
        found[campaign] += sum(still_to_come(one, end) - still_to_come(one, month) for one in broadcasts)
    return found


def messages_words(fit: Fit) -> str:
    """How many, and what share of the month that is."""
    words = f"up to {fit.messages:,}"
    if fit.wanted < fit.messages:
        words += f"; stops at {fit.wanted:,} by its budget, and holds the others"
    if fit.room is None:
        return f"{words}; no limit of the month is known (`monthly_limit`), LINE's own holds"
    if fit.ahead:
        words += f"; {fit.ahead:,} wait, are held or planned already"
    if not fit.fits:
        return f"{words}; {fit.wanted - fit.room:,} more than the {fit.room:,} that the month has left"
    return f"{words}, {fit.goes / fit.room:.0%} of the {fit.room:,} that the month has left" if fit.room else words


def cost_words(fit: Fit) -> str:
    """What those cost that go out."""
    if fit.yen is None:
        return "not known: the account has no `price_yen` (docs/quota.md)"
    covered = ", of which the plan's fee covers some" if fit.yen < fit.goes * (fit.price or 0) else ""
    return f"up to {fit.yen:,.0f} yen: {fit.goes:,} messages at {fit.price:f} yen{covered}"
