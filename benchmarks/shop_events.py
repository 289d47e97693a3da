"""Shop events of about 400 bytes, the same in every run but for their times."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from todoke_shared.jsons import dumps

MIX = (("product.viewed", 60), ("cart.item_added", 25), ("cart.updated", 5), ("order.placed", 10))
"""Types and how often in a hundred: many look, some put into the cart, few buy."""
_ABOUT = "おすすめの一番茶、やわらかな甘みと香り"  # what brings an event to about 400 bytes


def shop_events(number: int, people: int, *, seed: int = 1) -> list[bytes]:
    """So many events of so many customers, a millisecond apart, the last of them now."""
    rng = random.Random(seed)
    types, weights = [name for name, _ in MIX], [weight for _, weight in MIX]
    begins = datetime.now(UTC) - timedelta(milliseconds=number)
    return [
        dumps(_event(rng, index, rng.choices(types, weights)[0], people, begins + timedelta(milliseconds=index)))
        for index in range(number)
    ]


def first_visits(people: int) -> list[bytes]:
    """One event of each customer, before all others: so that everybody is known."""
    rng, at = random.Random(0), datetime.now(UTC) - timedelta(days=1)
    return [
        dumps(_event(rng, index, "product.viewed", people, at, subject=index, name="first")) for index in range(people)
    ]


def _event(  # noqa: PLR0913 - a record's parts
    rng: random.Random,
    index: int,
    type_: str,
    people: int,
    at: datetime,
    *,
    subject: int | None = None,
    name: str = "e",
) -> dict[str, Any]:
    product = rng.randrange(500)
    item = {
        "product_id": f"tea-{product:04}",
        "name": f"お茶 {product:04}",
        "price": 500 + product,
        "url": f"https://shop.example/products/tea-{product:04}",
    }
    by_type: dict[str, dict[str, Any]] = {
        "product.viewed": {"product": item, "about": _ABOUT},
        "cart.item_added": {"item": item | {"quantity": 1}, "about": _ABOUT},
        "cart.updated": {"items": [item | {"quantity": 2}]},
        "order.placed": {"order_id": f"order-{index:08}", "items": [item], "amount": 500 + product},
    }
    return {
        "specversion": "1.0",
        "id": f"benchmark-{name}-{index:08}",
        "source": "https://shop.example/benchmark",
        "type": type_,
        "time": at.isoformat(),
        "subject": f"customer:{rng.randrange(people) if subject is None else subject:06}",
        "data": by_type[type_],
    }
