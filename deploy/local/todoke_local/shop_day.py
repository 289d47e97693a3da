"""A built-in day at a tea shop: a dozen customers, each with a habit, from a seed. For `todoke demo`."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from todoke_local.recordings import Recorded

OPENS = datetime(2026, 4, 1, 9, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
SOURCE = "demo-tea-shop"


@dataclass(frozen=True)
class Tea:
    """A product; `price` in yen."""

    product_id: str
    name: str
    price: int


TEAS = (
    Tea("uji-matcha", "宇治抹茶 30g", 1980),
    Tea("sencha", "静岡煎茶 100g", 1080),
    Tea("hojicha", "加賀棒ほうじ茶 80g", 864),
    Tea("genmaicha", "玄米茶 200g", 756),
    Tea("gyokuro", "八女玉露 50g", 2700),
    Tea("chasen", "茶筅 百本立", 3300),
)

SHOPPERS = {
    "佐藤 花": "buys",
    "鈴木 海斗": "forgets",
    "高橋 美咲": "returns",
    "田中 陽菜": "hesitates",
    "伊藤 蓮": "forgets",
    "渡辺 結衣": "looks",
    "山本 大和": "buys",
    "中村 さくら": "empties",
    "小林 颯太": "returns",
    "加藤 凛": "hesitates",
    "吉田 湊": "looks",
    "山田 葵": "buys",
}
"""Name -> habit: buys at once, forgets the cart, returns after the reminder, hesitates (changes the cart), …"""


def shop_day(seed: int = 1) -> list[Recorded]:
    """The day's events, oldest first. The same seed is the same day."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    events = [event for name, habit in SHOPPERS.items() for event in _visit(rng, name, habit)]
    return sorted(events, key=lambda event: event.at)


def _visit(rng: random.Random, name: str, habit: str) -> Iterator[Recorded]:
    at = OPENS + timedelta(minutes=rng.randrange(8 * 60))
    basket = rng.sample(TEAS, k=rng.choice((1, 2, 2, 3)))
    for tea in rng.sample(TEAS, k=3):
        yield _event(name, at, "product.viewed", {"product": _product(tea)})
        at += timedelta(minutes=rng.randrange(1, 5))
    if habit == "looks":
        return
    for tea in basket:
        yield _event(name, at, "cart.item_added", {"item": _product(tea)})
        at += timedelta(minutes=rng.randrange(1, 4))
    if habit == "hesitates":
        at += timedelta(minutes=30)
        yield _event(name, at, "cart.item_added", {"item": _product(TEAS[0])})
    if habit == "empties":
        yield _event(name, at + timedelta(minutes=20), "cart.updated", {"items": []})
    if habit in ("buys", "returns"):
        at += timedelta(minutes=5) if habit == "buys" else timedelta(minutes=rng.randrange(75, 180))
        order = {
            "order_id": f"T-{abs(hash_of(name)) % 9000 + 1000}",
            "items": [_product(tea) for tea in basket],
            "amount": sum(tea.price for tea in basket),
        }
        yield _event(name, at, "order.placed", order)


def hash_of(name: str) -> int:
    """A number from a name, the same in every process (`hash` of a text is not)."""
    return int.from_bytes(name.encode(), "big")


def _product(tea: Tea) -> dict[str, Any]:
    return {"product_id": tea.product_id, "name": tea.name, "price": tea.price}


def _event(name: str, at: datetime, type_: str, data: dict[str, Any]) -> Recorded:
    event = {
        "specversion": "1.0",
        "id": f"{name}-{at:%H%M}-{type_}-{data.get('order_id') or data.get('item', {}).get('product_id', '')}",
        "source": SOURCE,
        "type": type_,
        "time": at.isoformat(),
        "subject": f"customer:{name}",
        "data": data,
    }
    return Recorded(at, name, event)
