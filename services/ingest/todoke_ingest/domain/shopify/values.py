"""Reads a payload of Shopify's without trusting it: what is missing, or of another type, is None or empty.

Nothing here fails. What an event cannot do without is held against the vocabulary later, and told by field.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation

Json = dict[str, object]

_LONGEST_ID = 255
_LARGEST_COUNT = 10**9
"""No shop has more of anything; and PostgreSQL's integers hold it."""

_HARMLESS = re.compile(
    r"(.*_)?(id|at|status|state|kind|type|reason|currency|price|amount|quantity|available|total|tax|discounts|subtotal)"
)
"""The fields of any payload that cannot name or describe a person."""


def text(of: Json, name: str) -> str | None:
    """A text, or a number as text; None for what is empty. U+0000, which PostgreSQL cannot hold, is left out."""
    value = of.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else None
    return (value.replace("\x00", "").strip() or None) if isinstance(value, str) else None


def identifier(of: Json, name: str) -> str | None:
    """An id as text: of some use as long as it fits where ids go."""
    value = text(of, name)
    return value if value and len(value) <= _LONGEST_ID else None


def number(of: Json, name: str) -> float | None:
    """Money, which Shopify writes as text ("1280.00"), as a number of its currency's unit (yen)."""
    value = of.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return None
    if not exact.is_finite() or abs(exact) > 10**15:
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def count(of: Json, name: str) -> int | None:
    """A whole number, such as a stock."""
    value = number(of, name)
    return int(value) if value is not None and abs(value) <= _LARGEST_COUNT else None


def mapping(of: Json, name: str) -> Json:
    """An object, empty when there is none."""
    value = of.get(name)
    return value if isinstance(value, dict) else {}


def mappings(of: Json, name: str) -> list[Json]:
    """The objects in an array."""
    value = of.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def instant(value: object) -> datetime | None:
    """An RFC 3339 timestamp; a nanosecond is cut to its microsecond. None for one that no event may have."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None and 2000 <= found.year < 2200 else None


def known(**fields: object) -> Json:
    """Those of the fields that say something."""
    return {name: value for name, value in fields.items() if value is not None}


def harmless(payload: Json) -> Json:
    """What of a payload that we have no words for may enter a topic: ids, instants, states, amounts."""
    kept: Json = {}
    for name, value in payload.items():
        if _HARMLESS.fullmatch(name) and isinstance(value, str | int | float | bool):
            kept[name] = text(payload, name) if name.endswith("id") or isinstance(value, str) else value
    return known(**kept)


def combined_items(lines: Iterable[Json]) -> list[Json]:
    """Line items as a cart's or an order's items, one a product: its variants are added up and listed in `variants`.

    A line without product (a tip, a product deleted since) is known by its SKU or title. `price` is the first
    variant's, for one piece.
    """
    items: dict[str, Json] = {}
    for line in lines:
        quantity = count(line, "quantity")
        product_id = _product_of(line)
        if product_id is None or quantity is None or quantity < 1:
            continue
        price = number(line, "price")
        variant = known(variant_id=identifier(line, "variant_id"), quantity=quantity, price=price)
        if product_id in items:
            _add(items[product_id], variant, quantity)
        else:
            name = (text(line, "title") or "")[:500] or None
            items[product_id] = known(
                product_id=product_id, name=name, price=price, quantity=quantity, variants=[variant]
            )
    return list(items.values())


def _add(item: Json, variant: Json, quantity: int) -> None:
    variants, so_far = item["variants"], item["quantity"]
    if isinstance(variants, list) and isinstance(so_far, int):
        variants.append(variant)
        item["quantity"] = so_far + quantity


def _product_of(line: Json) -> str | None:
    found = identifier(line, "product_id")
    if found:
        return found
    other = identifier(line, "sku") or (text(line, "title") or "")[:200]
    return f"custom:{other}" if other and len(other) < 240 else None
