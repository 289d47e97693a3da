"""The segments and campaigns of the story, each as it is published and, beside it, as the oracle has it in its head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.support.serial.person import Known, day_of
from tests.support.serial.told import Told

Holds = Callable[[Known, datetime], bool]
Fires = Callable[[Known, Told], bool]
CART = frozenset({"cart.updated", "cart.item_added", "cart.item_removed"})
QUIET = timedelta(minutes=20)
SLEEP = timedelta(days=180)


def _sum(known: Known, counter: str, days: int, now: datetime) -> float:
    """Of today and the days before it, so many together."""
    first = day_of(now) - timedelta(days=days - 1)
    return sum(done.get(counter, 0) for day, done in known.days.items() if first <= day <= day_of(now))


def _asleep(known: Known, now: datetime) -> bool:
    last = known.instants.get("last order")
    return last is not None and now - last >= SLEEP


def _class(known: Known, now: datetime) -> str:
    """As segments/classes.yaml has them, in its order."""
    orders = _sum(known, "orders", 365, now)
    if _sum(known, "returns", 365, now) >= 3:
        return "class-problem"
    if _asleep(known, now):
        return "class-sleeping"
    if orders >= 5 and _sum(known, "amount", 365, now) >= 50_000:
        return "class-best"
    return "class-good" if orders >= 2 else "class-general"


def _tea_drinker(known: Known, now: datetime) -> bool:
    first = day_of(now) - timedelta(days=89)
    return sum(number for day, number in known.bought.get("p-1", {}).items() if day >= first) >= 2


def _quiet(known: Known, now: datetime) -> bool:
    last = known.instants.get("last seen")
    return last is not None and now - last >= QUIET


def _befriended(known: Known) -> bool:
    return any(friend for friend, _ in known.friends.values())


SHIPPED: Mapping[str, Holds] = {
    "sleepers": _asleep,
    **{
        name: lambda known, now, name=name: _class(known, now) == name  # type: ignore[misc]
        for name in ("class-best", "class-good", "class-problem", "class-sleeping", "class-general")
    },
}
OWN: Mapping[str, tuple[dict[str, Any], Holds]] = {
    "tea-drinkers": ({"bought": {"product": "p-1", "at_least": 2, "within": "90d"}}, _tea_drinker),
    "browsers": (
        {
            "all": [
                {"product_views": {"at_least": 3, "within": "7d"}},
                {"not": {"orders": {"at_least": 1, "within": "7d"}}},
            ]
        },
        lambda known, now: _sum(known, "product_views", 7, now) >= 3 and not _sum(known, "orders", 7, now),
    ),
    "vips": ({"tags": {"has": "vip"}}, lambda known, _: "vip" in known.tags),
    "tokyo-savers": (
        {"prefecture": "東京都", "points": {"at_least": 500}},
        lambda known, _: known.profile.get("prefecture", ("",))[0] == "東京都" and (known.points or 0) >= 500,
    ),
}
FRIENDLY: Mapping[str, tuple[dict[str, Any], Holds]] = {
    "friendly-vips": (
        {"friend": True, "segment": "vips"},
        lambda known, _: _befriended(known) and "vip" in known.tags,
    ),
}
CLOCKED: Mapping[str, tuple[dict[str, Any], Holds]] = {"quiet": ({"last_seen": {"before": "20m"}}, _quiet)}
"""By the minute: where a test's clock stands still until it is moved."""


@dataclass(frozen=True)
class On:
    """What brings somebody into a campaign, or out of it: events, or a segment that is entered or left."""

    types: frozenset[str] = frozenset()
    entered: str = ""
    left: str = ""
    fires: Fires | None = None


@dataclass(frozen=True)
class Plan:
    """A campaign. `per`: what its runs are told apart by; `document`: as it is published, but for the shipped ones."""

    name: str
    enter: On
    exits: tuple[On, ...] = ()
    per: str = "person"
    document: dict[str, Any] | None = None


def _on(*types: str, fires: Fires | None = None) -> On:
    return On(types=frozenset(types), fires=fires)


def _document(name: str, enter: dict[str, Any], *exits: dict[str, Any], account: str = "main") -> dict[str, Any]:
    return {
        "campaign": name,
        "class": "marketing",
        "account": account,
        "enter": {"again": "always", **enter},
        "exit": list(exits),
        "steps": [{"wait": "30d"}, {"send": "text"}],
        "messages": {"text": [{"type": "text", "text": name}]},
    }


PLANS = (
    Plan("welcome", _on("line.follow", fires=lambda _, told: told.account == "main")),
    Plan("order-confirmation", _on("order.placed"), per="order"),
    Plan(
        "cart-abandonment",
        _on(*CART, fires=lambda known, _: len(known.cart) >= 1),
        (_on("order.placed"), _on(*CART, fires=lambda known, _: not known.cart)),
    ),
    Plan(
        "win-back",
        On(entered="sleepers"),
        (On(left="sleepers"),),
        document=_document(
            "win-back",
            {"on": "segment.entered", "segment": "sleepers"},
            {"on": "segment.left", "segment": "sleepers"},
        ),
    ),
    Plan(
        "good-news",
        On(entered="class-good"),
        (On(left="class-good"),),
        document=_document(
            "good-news",
            {"on": "segment.entered", "segment": "class-good"},
            {"on": "segment.left", "segment": "class-good"},
        ),
    ),
    Plan(
        "nudge",
        On(entered="browsers"),
        (On(left="browsers"), _on("order.placed")),
        document=_document(
            "nudge",
            {"on": "segment.entered", "segment": "browsers"},
            {"on": "segment.left", "segment": "browsers"},
            {"on": "order.placed"},
        ),
    ),
    Plan(
        "former-vips",
        On(left="vips"),
        document=_document("former-vips", {"on": "segment.left", "segment": "vips"}),
    ),
    Plan(
        "tea",
        On(entered="tea-drinkers"),
        document=_document("tea", {"on": "segment.entered", "segment": "tea-drinkers"}),
    ),
    Plan(
        "large-orders",
        _on("order.placed", fires=lambda _, told: told.data.get("amount", 0) >= 10_000),
        per="event",
        document=_document(
            "large-orders", {"on": "order.placed", "when": {"event.amount": {"at_least": 10_000}}, "per": "event"}
        ),
    ),
    Plan(
        "savers-carts",
        _on(*CART, fires=lambda known, told: OWN["tokyo-savers"][1](known, told.at)),
        per="cart",
        document=_document("savers-carts", {"on": "cart.changed", "when": {"segment": "tokyo-savers"}, "per": "cart"}),
    ),
)
FRIENDLY_PLANS = (
    Plan(
        "friends-orders",
        _on(
            "order.placed",
            fires=lambda known, _: any(friend for user, (friend, _) in known.friends.items() if user[:7] == "second:"),
        ),
        per="event",
        document=_document(
            "friends-orders",
            {"on": "order.placed", "when": {"friend": True}, "per": "event"},
            account="second",
        ),
    ),
    Plan(
        "friendly",
        On(entered="friendly-vips"),
        (On(left="friendly-vips"),),
        document=_document(
            "friendly",
            {"on": "segment.entered", "segment": "friendly-vips"},
            {"on": "segment.left", "segment": "friendly-vips"},
        ),
    ),
)
"""These read what both topics say. Who handles them when is known only where one reader takes them in turn."""
CLOCKED_PLANS = (
    Plan(
        "gone",
        On(entered="quiet"),
        (On(left="quiet"),),
        document=_document(
            "gone",
            {"on": "segment.entered", "segment": "quiet"},
            {"on": "segment.left", "segment": "quiet"},
        ),
    ),
)
