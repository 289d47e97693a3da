"""The catalogue: what is known of each product, told by product.updated, product.restocked and product.price_dropped.

| what is told | what becomes of the field |
|---|---|
| a value | it counts unless a newer event has told the field |
| null | the field is not known any more, unless a newer event has told it |
| nothing, or what cannot be read | it stays |

Newer is by the event's time; in one instant the greater value counts, and any value before none. So the events of a
product may come in any order, any number of times, and lead to the same row (docs/adr/0004).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from todoke_segmenter.domain.shop_records import ShopEvent
from todoke_shared.contracts.ec_events import CATALOGUE_TYPES, AboutProduct, read_data

Value = str | float | int | bool | None
"""None: told to be unknown."""

FIELDS = ("name", "price", "url", "image_url", "category", "stock", "use_up_days", "deleted")
MOST_STOCK = 10**9
LONGEST_USE = 3650
"""Days; a product that lasts longer than ten years is not bought again for being used up."""
_BOUNDS = {"stock": (0, MOST_STOCK), "use_up_days": (1, LONGEST_USE)}


class Told(NamedTuple):
    """A field's value since `at`, in UTC."""

    at: datetime
    value: Value


@dataclass(frozen=True)
class ProductTold:
    """What one or several events tell of a product. `price` in yen; `deleted`: it is sold no more."""

    shop: str
    product_id: str
    fields: Mapping[str, Told]

    @property
    def at(self) -> datetime:
        """The time of the newest event."""
        return max(told.at for told in self.fields.values())


def product_told(event: ShopEvent) -> ProductTold | None:
    """What an event tells of a product; None where it is about something else.

    BadMessageError as `check_event` raises it.
    """
    if event.type not in CATALOGUE_TYPES:
        return None
    about = read_data(AboutProduct, event.data, "data")
    at = event.time.astimezone(UTC)
    raw: dict[str, Any] = event.data["product"]
    values = {name: getattr(about.product, name) for name in FIELDS if name in raw}
    if "stock" not in raw and "stock" in event.data:
        raw, values["stock"] = {**raw, "stock": event.data["stock"]}, about.stock
    # Whatever is told of a product says that it is there, unless it says the contrary.
    values["deleted"] = bool(values.get("deleted"))
    readable = {name: value for name, value in values.items() if value is not None or raw[name] is None}
    fields = {name: Told(at, _bounded(name, value)) for name, value in readable.items()}
    return ProductTold(event.shop, about.product.product_id, fields)


def join_products(told: Iterable[ProductTold]) -> list[ProductTold]:
    """Each product once, by shop and id, with the newest word on each field."""
    known: dict[tuple[str, str], dict[str, Told]] = {}
    for product in told:
        fields = known.setdefault((product.shop, product.product_id), {})
        for name, field in product.fields.items():
            fields[name] = newer(fields[name], field) if name in fields else field
    return [ProductTold(shop, product, known[shop, product]) for shop, product in sorted(known)]


def newer(a: Told, b: Told) -> Told:
    """The one that counts. `save_products` in `adapters/products.sql` says the same of what is stored."""
    return max(a, b, key=_rank)


def _rank(told: Told) -> tuple[datetime, bool, Value]:
    return told.at, told.value is not None, told.value


def _bounded(name: str, value: Value) -> Value:
    if value == "":
        return None
    if name in _BOUNDS and value is not None:
        least, most = _BOUNDS[name]
        return min(max(int(value), least), most)
    return value
