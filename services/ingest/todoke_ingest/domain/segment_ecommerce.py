"""The names of Segment's e-commerce spec, v2 and the older ones it took over -> our vocabulary.

Source: https://segment.com/docs/connections/spec/ecommerce/v2/. Where one of its events would say more than it means
in our words, it stays `custom.*`: a Product List Viewed comes beside a page call, an Order Updated is no second order.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from todoke_ingest.domain.personal_data import identifier_without_address, without_contacts
from todoke_ingest.domain.segment_traits import customer_data
from todoke_ingest.domain.segment_values import carried, id_of, number_of, object_of, snake, text_of
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS, EVENT_TYPES
from todoke_shared.errors import BadMessageError

Data = dict[str, object]
Properties = Mapping[str, object]

_MOST_OF_ONE = 100_000
_LONGEST = {"name": 500, "url": 1000, "image_url": 1000}
_CURRENCY = re.compile(r"[A-Z]{3}")
_OF_TRAITS = frozenset({"customer.registered", "customer.updated"})
_OWN_TYPES = EVENT_TYPES - {"customer.identified", "friend.imported"} - CAMPAIGN_REQUESTS
"""Who somebody is, identify and alias tell; whether they are a friend, LINE does. Whose campaigns start is not for a
write key to say, which every visitor can read."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event of Segment's is in our vocabulary: its type, and what becomes of its properties."""

    type: str
    data: Callable[[Properties], Data]


def read_track(name: str, properties: Properties) -> tuple[str, Data]:
    """The type and data of a track call. BadMessageError when it lacks what its meaning needs.

    A name that is one of our own types (`order.shipped`) is that type, with the properties as its data.
    """
    if name in _OWN_TYPES:
        return name, (customer_data if name in _OF_TRAITS else carried)(properties)
    words = snake(identifier_without_address(name.removeprefix("custom.")))
    meaning = None if name.startswith("custom.") else MEANINGS.get(words)
    if meaning is None or (words == "cart_viewed" and not isinstance(properties.get("products"), list)):
        return f"custom.{words}", carried(properties)  # a cart that nobody described is not an empty one
    return meaning.type, meaning.data(properties)


def _product_viewed(properties: Properties) -> Data:
    return {**_keys(properties), "product": _product(properties, "properties")}


def _item_added(properties: Properties) -> Data:
    product = _product(properties, "properties")
    return {**_keys(properties), "item": {**product, **_quantity(properties)}}


def _item_removed(properties: Properties) -> Data:
    return {**_keys(properties), "product_id": _product_id(properties, "properties")}


def _cart(properties: Properties) -> Data:
    return {**_rest(properties), **_items(properties)}


def _checkout(properties: Properties) -> Data:
    return {**_rest(properties), **_sum(properties, "value", "total", "revenue"), **_items(properties)}


def _order(properties: Properties) -> Data:
    order_id = id_of(properties.get("order_id")) or id_of(properties.get("orderId"))
    if order_id is None:
        raise BadMessageError("must be text of 1 to 255 characters", field="properties.order_id")
    return {
        **_rest(properties),
        "order_id": order_id,
        **_sum(properties, "total", "value", "revenue"),
        **_items(properties),
    }


def _review(properties: Properties) -> Data:
    rating = number_of(properties.get("rating"))
    data = {**carried(properties), "product_id": _product_id(properties, "properties")}
    return data if rating is None else {**data, "rating": rating}


def _keys(properties: Properties) -> Data:
    return carried({name: properties[name] for name in ("cart_id", "order_id", "currency") if name in properties})


def _rest(properties: Properties) -> Data:
    data = carried({name: value for name, value in properties.items() if name not in ("products", "items", "coupon")})
    coupons = [code for value in _codes(properties) if (code := text_of(value))]
    return {**data, "coupons": without_contacts(coupons)} if coupons else data


def _codes(properties: Properties) -> list[object]:
    given = properties.get("coupons", properties.get("coupon"))
    return given if isinstance(given, list) else [given]


def _sum(properties: Properties, *names: str) -> Data:
    amount = next((found for name in names if (found := number_of(properties.get(name))) is not None), None)
    currency = (text_of(properties.get("currency")) or "").upper()
    told: Data = {"currency": currency} if _CURRENCY.fullmatch(currency) else {}
    return told if amount is None else {**told, "amount": amount}


def _items(properties: Properties) -> Data:
    """`items`, where there are products: one of quantity 0 is not there, and one without an id nobody could name.

    BadMessageError when none of them has an id: a sender's mistake must not look like an empty cart.
    """
    products = properties.get("products")
    if not isinstance(products, list):
        return {}
    given = [product for product in map(object_of, products) if number_of(product.get("quantity")) != 0]
    named = [product for product in given if _id_of_product(product)]
    if given and not named:
        raise _nameless("properties.products[0]")
    return {"items": [{**_product(product, "properties.products"), **_quantity(product)} for product in named]}


def _product(given: Properties, field: str) -> Data:
    """A product as ours name it. What cannot be read of it is left out, but never which one it is."""
    product = carried({name: value for name, value in given.items() if name not in ("quantity", "price", *_KEPT_ABOVE)})
    product["product_id"] = _product_id(given, field)
    for name, longest in _LONGEST.items():
        text = text_of(product.pop(name, None))
        if text and (len(text) <= longest or name == "name"):
            product[name] = text[:longest]
    if (price := number_of(given.get("price"))) is not None:
        product["price"] = price
    return product


def _product_id(given: Properties, field: str) -> str:
    if (product_id := _id_of_product(given)) is None:
        raise _nameless(field)
    return product_id


def _id_of_product(given: Properties) -> str | None:
    return next((found for name in ("product_id", "productId", "sku", "id") if (found := id_of(given.get(name)))), None)


def _nameless(field: str) -> BadMessageError:
    return BadMessageError("name the product: product_id or sku, of 1 to 255 characters", field=f"{field}.product_id")


def _quantity(given: Properties) -> Data:
    quantity = number_of(given.get("quantity"))
    return {"quantity": quantity} if isinstance(quantity, int) and 1 <= quantity <= _MOST_OF_ONE else {}


_KEPT_ABOVE = ("cart_id", "order_id", "currency", "products")

MEANINGS: Mapping[str, Meaning] = {
    "products_searched": Meaning("products.searched", carried),
    "product_viewed": Meaning("product.viewed", _product_viewed),
    "viewed_product": Meaning("product.viewed", _product_viewed),
    "product_added": Meaning("cart.item_added", _item_added),
    "added_product": Meaning("cart.item_added", _item_added),
    "wishlist_product_added_to_cart": Meaning("cart.item_added", _item_added),
    "product_removed": Meaning("cart.item_removed", _item_removed),
    "removed_product": Meaning("cart.item_removed", _item_removed),
    "cart_viewed": Meaning("cart.updated", _cart),
    "checkout_started": Meaning("checkout.started", _checkout),
    "started_order": Meaning("checkout.started", _checkout),
    "order_completed": Meaning("order.placed", _order),
    "completed_order": Meaning("order.placed", _order),
    "order_refunded": Meaning("order.refunded", _order),
    "order_cancelled": Meaning("order.cancelled", _order),
    "order_canceled": Meaning("order.cancelled", _order),
    "product_reviewed": Meaning("review.posted", _review),
}
"""By the event's name in snake case. docs/segment.md tells of these to the people who send them."""
