"""Alibaba's public "User Behavior" data: `user_id,item_id,category_id,behavior,unix_seconds`, no header.

`pv` is product.viewed, `cart` cart.item_added, `buy` order.placed, `fav` custom.favourited. There are no amounts.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from todoke_local.recordings.recorded import Recorded

SOURCE = "taobao"
_TYPES: dict[str, tuple[str, Callable[[str, str], dict[str, Any]]]] = {
    "pv": ("product.viewed", lambda item, _: {"product": {"product_id": item}}),
    "cart": ("cart.item_added", lambda item, _: {"item": {"product_id": item}}),
    "buy": ("order.placed", lambda item, event: {"order_id": event, "items": [{"product_id": item}]}),
    "fav": ("custom.favourited", lambda item, _: {"product": {"product_id": item}}),
}


def read_taobao(file: Path) -> Iterator[Recorded]:
    """The rows of a file, in its order. ValueError names the line that cannot be read."""
    seen: Counter[tuple[str, ...]] = Counter()
    with file.open(newline="", encoding="utf-8") as text:
        for number, row in enumerate(csv.reader(text), start=1):
            seen[tuple(row)] += 1
            try:
                yield _event(row, seen[tuple(row)])
            except (ValueError, KeyError, OverflowError):
                raise ValueError(f"{file}:{number}: expected user,item,category,pv|cart|buy|fav,unix seconds") from None


def _event(row: list[str], occurrence: int) -> Recorded:
    user, item, category, behaviour, seconds = row
    type_, data = _TYPES[behaviour]
    at = datetime.fromtimestamp(int(seconds), UTC)
    # The row itself is the event's identity, so that a replay begun again repeats nothing; twins are counted apart.
    event_id = f"{user}-{item}-{behaviour}-{seconds}" + (f"-{occurrence}" if occurrence > 1 else "")
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": type_,
        "time": at.isoformat(),
        "subject": f"customer:{user}",
        "data": {**data(item, event_id), "category_id": category},
    }
    return Recorded(at, user, event)
