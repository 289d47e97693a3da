"""products/* and inventory_levels/update: what a product is, how many are left, and what has become of that.

A level names an inventory item and one location; only a product's own webhook says which product the item belongs to,
and how many there are over all locations. So what products have said is remembered, and levels are held against it:

- A product's word is the truth about its moment. An older one than the last changes nothing.
- A level that is older than the product's last word is in it already, and is only noted.
- A newer one changes the stock by the difference to the same location's last level; for a location not heard of
  before, there are at least as many as it says. The product's next word, which every order brings, puts right the rest.

What follows from a change (a restock, a lower price) has an id made of what was remembered, not of the delivery: a
repeated delivery, or two that race, tell the same news, which readers recognise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from todoke_ingest.domain.shopify.delivery import Delivery
from todoke_ingest.domain.shopify.people import shop_itself
from todoke_ingest.domain.shopify.values import Json, count, identifier, instant, known, mapping, mappings, number, text

CATALOGUE_TOPICS = frozenset({"products/create", "products/update", "products/delete"})


@dataclass(frozen=True, slots=True)
class Level:
    """How many a location had at an instant."""

    available: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of a product. `stock` None: the shop does not count it, or sells on when there is none."""

    variant_id: str | None
    price: float | None
    stock: int | None
    levels: Mapping[str, Level] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Product:
    """A product as last told, its variants by inventory item. `sold_out_at`: since when none is left."""

    product_id: str
    at: datetime
    facts: Json
    variants: Mapping[str, Variant]
    sold_out_at: datetime | None = None
    gone: bool = False

    @property
    def stock(self) -> int | None:
        """How many are left over all variants; None when one of them is not counted."""
        if self.gone:
            return 0
        counted = [variant.stock for variant in self.variants.values()]
        left = [stock for stock in counted if stock is not None]
        return sum(left) if counted and len(left) == len(counted) else None

    @property
    def price(self) -> float | None:
        """The lowest price of its variants."""
        return min((variant.price for variant in self.variants.values() if variant.price is not None), default=None)


@dataclass(frozen=True, slots=True)
class ToldLevel:
    """What inventory_levels/update says. `available` None: the item is no longer counted there."""

    item: str
    location: str
    available: int | None
    at: datetime


def told_product(delivery: Delivery) -> Product | None:
    """What products/* says; None when it names no product."""
    payload = delivery.payload
    product_id = identifier(payload, "id")
    if product_id is None:
        return None
    if delivery.topic == "products/delete":
        return Product(product_id, delivery.at, {}, {}, gone=True)
    handle = text(payload, "handle")
    images = (mapping(payload, "image"), *mappings(payload, "images"))
    facts = known(
        name=(text(payload, "title") or "")[:500] or None,
        url=f"https://{delivery.domain}/products/{handle}"[:1000] if delivery.domain and handle else None,
        image_url=next((src[:1000] for image in images if (src := text(image, "src"))), None),
        category=text(payload, "product_type"),
        status=text(payload, "status"),
    )
    variants = {
        item: Variant(identifier(variant, "id"), number(variant, "price"), _counted(variant))
        for variant in mappings(payload, "variants")
        if (item := identifier(variant, "inventory_item_id") or identifier(variant, "id"))
    }
    return _since(None, Product(product_id, delivery.at, facts, variants))


def told_level(delivery: Delivery) -> ToldLevel | None:
    """What inventory_levels/update says; None when it names no item."""
    payload = delivery.payload
    item = identifier(payload, "inventory_item_id")
    if delivery.topic != "inventory_levels/update" or item is None:
        return None
    location = identifier(payload, "location_id") or ""
    return ToldLevel(item, location, _left(payload, "available"), delivery.at)


def learn_product(before: Product | None, told: Product) -> Product:
    """What is known of a product once it has spoken; the very same object when its word is an old one."""
    if before is None:
        return told
    if told.at < before.at:
        return before
    variants = {item: _joined(before.variants.get(item), variant, told.at) for item, variant in told.variants.items()}
    return _since(before, replace(told, variants=variants))


def learn_level(before: Product, told: ToldLevel) -> Product:
    """What is known of a product once a location has told its level; the very same object when that changes nothing."""
    variant = before.variants.get(told.item)
    if variant is None or told.available is None:
        return before
    last = variant.levels.get(told.location)
    if last is not None and told.at < last.at:
        return before
    stock = variant.stock
    if stock is not None and told.at > before.at:
        stock = _moved(stock, last, told.available, before.at)
    levels = {**variant.levels, told.location: Level(told.available, told.at)}
    variants = {**before.variants, told.item: replace(variant, stock=stock, levels=levels)}
    return _since(before, replace(before, variants=variants), told.at)


def product_news(delivery: Delivery, before: Product | None, after: Product) -> list[Json]:
    """What a product's word makes worth telling; nothing when it was an old one."""
    if after is before:
        return []
    updated = delivery.event("product.updated", None, {"product": _as_told(after)})
    dropped = [] if before is None else _price_dropped(delivery, before, after)
    return [updated, *_restocked(delivery, before, after), *dropped]


def level_news(delivery: Delivery, before: Product, after: Product) -> list[Json]:
    """What a level makes worth telling: nothing as long as the product's stock is the same."""
    if after.stock == before.stock:
        return []
    updated = delivery.event("product.updated", None, {"product": _as_told(after)})
    return [updated, *_restocked(delivery, before, after)]


def unknown_item(delivery: Delivery) -> list[Json]:
    """A level of an item that no product has named yet (or names no item at all): carried, for who can use it."""
    data = known(
        inventory_item_id=identifier(delivery.payload, "inventory_item_id"),
        location_id=identifier(delivery.payload, "location_id"),
        available=count(delivery.payload, "available"),
        updated_at=text(delivery.payload, "updated_at") if instant(delivery.payload.get("updated_at")) else None,
    )
    return [delivery.event("custom.shopify.inventory_level_updated", shop_itself(delivery.shop), data)]


def _moved(stock: int, last: Level | None, available: int, word_at: datetime) -> int:
    """The stock once a location has `available`. A location never holds more than there are in all."""
    if last is None:
        return max(stock, available)
    # Of a level that the product's word has overtaken, that word may know of changes that we were not told of.
    share = last.available if last.at > word_at else min(last.available, stock)
    return stock + available - share


def _counted(variant: Json) -> int | None:
    counts = text(variant, "inventory_management") is not None or "inventory_management" not in variant
    return _left(variant, "inventory_quantity") if counts and variant.get("inventory_policy") != "continue" else None


def _left(of: Json, name: str) -> int | None:
    """How many can be sold: of what is oversold (a number below 0), none."""
    found = count(of, name)
    return None if found is None else max(0, found)


def _joined(before: Variant | None, told: Variant, at: datetime) -> Variant:
    if before is None:
        return told
    newer = any(level.at > at for level in before.levels.values())
    stock = before.stock if newer and told.stock is not None and before.stock is not None else told.stock
    return replace(told, stock=stock, levels=before.levels)


def _since(before: Product | None, after: Product, at: datetime | None = None) -> Product:
    if after.stock != 0:
        return replace(after, sold_out_at=None)
    return replace(after, sold_out_at=(before.sold_out_at if before else None) or at or after.at)


def _as_told(product: Product) -> Json:
    gone = True if product.gone else None
    return known(product_id=product.product_id, **product.facts, price=product.price, stock=product.stock, deleted=gone)


def _restocked(delivery: Delivery, before: Product | None, after: Product) -> list[Json]:
    if before is None or before.sold_out_at is None or not after.stock:
        return []
    fact = f"product/{after.product_id}/restocked/{before.sold_out_at.isoformat()}"
    return [delivery.fact("product.restocked", None, {"product": _as_told(after)}, fact)]


def _price_dropped(delivery: Delivery, before: Product, after: Product) -> list[Json]:
    drops = [
        (old.price - new.price, old.price, new)
        for item, new in after.variants.items()
        if (old := before.variants.get(item)) and old.price is not None and new.price is not None
        if new.price < old.price
    ]
    if not drops:
        return []
    _, price_before, variant = max(drops, key=lambda drop: drop[0])
    product = {**_as_told(after), "price": variant.price}
    data = known(product=product, price_before=price_before, variant_id=variant.variant_id)
    fact = f"product/{after.product_id}/price_dropped/{before.at.isoformat()}"
    return [delivery.fact("product.price_dropped", None, data, fact)]
