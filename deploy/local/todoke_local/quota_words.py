"""Accounts' months and campaigns' budgets in tables, and as JSON."""

from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any

from todoke_dispatcher.overseeing import AccountMonth, CampaignMonth, Survey
from todoke_local.listing import shop_time

ACCOUNTS = (
    *("account", "limit", "reserve", "transactional", "marketing", "elsewhere", "left", "waiting", "held"),
    *("forecast", "yen", "forecast yen", "LINE's limit", "LINE counts", "less ours", "asked", "state"),
)
CAMPAIGNS = ("campaign", "used", "budget", "left", "held", "yen")


def account_row(seen: AccountMonth) -> tuple[str, ...]:
    """The line under ACCOUNTS. `left` is marketing's room, and what the transactional lane has beyond it."""
    book, line = seen.book, seen.standing.line
    told = ("", "not asked yet", "", "")
    if line is not None:
        limit = "none" if line.month.limit is None else f"{line.month.limit:,}"
        told = (limit, f"{line.month.used:,}", f"{line.month.used - line.ours:+,}", shop_time(line.at))
    return (
        seen.account,
        _or_none(book.limit),
        _or_none(reserve_of(seen)),
        f"{book.transactional:,}",
        f"{book.marketing:,}",
        f"{book.elsewhere:,}",
        _or_none(book.room("marketing")),
        f"{seen.waiting.total():,}",
        f"{seen.held.total():,}",
        f"{seen.forecast:,}",
        _yen(seen.yen(book.used)),
        _yen(seen.yen(seen.forecast)),
        *told,
        f"parked: {book.parked}" if book.parked else "",
    )


def campaign_row(seen: CampaignMonth) -> tuple[str, ...]:
    """The line under CAMPAIGNS."""
    left = "" if seen.limit is None else f"{max(0, seen.limit - seen.used):,}"
    cost = None if seen.price is None else seen.used * seen.price
    return seen.campaign, f"{seen.used:,}", _or_none(seen.limit), left, f"{seen.held:,}", _yen(cost)


def reserve_of(seen: AccountMonth) -> int | None:
    """How many messages of the month marketing leaves alone; None: there is no limit."""
    return None if seen.book.limit is None else ceil(seen.book.limit * seen.book.reserve)


def as_json(seen: Survey, at: datetime) -> dict[str, Any]:
    """Everything, for programs. Null: no limit, no budget, or nobody has said what a message costs."""
    return {
        "month": f"{seen.month:%Y-%m}",
        "at": at.isoformat(),
        "accounts": [_account_json(account) for account in seen.accounts],
        "campaigns": [
            {
                "campaign": one.campaign,
                "used": one.used,
                "budget": one.limit,
                "held": one.held,
                "yen": None if one.price is None else float(one.used * one.price),
            }
            for one in seen.campaigns
        ],
    }


def _account_json(seen: AccountMonth) -> dict[str, Any]:
    book, line = seen.book, seen.standing.line
    return {
        "account": seen.account,
        "limit": book.limit,
        "reserve": reserve_of(seen),
        "transactional": book.transactional,
        "marketing": book.marketing,
        "elsewhere": book.elsewhere,
        "used": book.used,
        "room": {"transactional": book.room("transactional"), "marketing": book.room("marketing")},
        "waiting": seen.waiting.total(),
        "held": seen.held.total(),
        "forecast": seen.forecast,
        "yen": _number(seen.yen(book.used)),
        "forecast_yen": _number(seen.yen(seen.forecast)),
        "parked": book.parked,
        "line": None
        if line is None
        else {
            "limit": line.month.limit,
            "used": line.month.used,
            "ours_then": line.ours,
            "at": line.at.isoformat(),
        },
    }


def _or_none(number: int | None) -> str:
    return "none" if number is None else f"{number:,}"


def _yen(cost: Decimal | None) -> str:
    return "" if cost is None else f"{cost:,.0f}"


def _number(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)
