"""Events about products, few instants and few values: so that much is told in the same instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from todoke_shared.contracts.ec_events import EcEvent, check_event

START = datetime(2026, 2, 3, 9, tzinfo=UTC)
TYPES = ("product.updated", "product.restocked", "product.price_dropped")
MOST_STOCK = 10**9

_FIELDS = {
    "name": st.sampled_from(["抹茶", "煎茶", "Sencha", "", None]),
    "price": st.sampled_from([0, 980, 1980.5, None]),
    "url": st.sampled_from(["https://shop.example/1", None]),
    "image_url": st.sampled_from(["https://shop.example/1.jpg", "https://shop.example/é.jpg"]),
    "category": st.sampled_from(["日本茶", "日本茶/抹茶", "𠮷", "～", 12, None, ["no text"]]),
    "stock": st.sampled_from([0, 3, -2, 10**11, "many", None]),
    "use_up_days": st.sampled_from([30, 0, 10**6, None]),
    "deleted": st.sampled_from([True, False, "?", None]),
}


def about(product: str, seconds: float, *, type_: str = TYPES[0], shop: str = "main", **told: Any) -> EcEvent:
    """An event about a product, so many seconds into the story, held against the vocabulary."""
    beside = {"stock": told.pop("stock_beside")} if "stock_beside" in told else {}
    event = EcEvent(
        specversion="1.0",
        id=f"{type_}/{product}/{seconds}/{told}{beside}"[:512],
        source="shop",
        type=type_,
        time=START + timedelta(seconds=seconds),
        shop=shop,
        data={"product": {"product_id": product, **told}, **beside},
    )
    check_event(event)
    return event


product_events = st.builds(
    lambda product, seconds, type_, shop, told: about(product, seconds, type_=type_, shop=shop, **told),
    st.sampled_from(["tea", "cup"]),
    st.integers(0, 3),
    st.sampled_from(TYPES),
    st.sampled_from(["main", "second"]),
    st.fixed_dictionaries({}, optional={**_FIELDS, "stock_beside": _FIELDS["stock"]}),
)
catalogues = st.lists(product_events, max_size=10)


def by_the_book(events: list[EcEvent]) -> dict[tuple[str, str], dict[str, Any]]:
    """The catalogue by looking through the whole history for each field, with no state kept at all.

    Written apart from the code: of all that was told of a field the last counts, in one instant the greatest, and
    unknown is the least.
    """
    told: dict[tuple[str, str], dict[str, list[tuple[datetime, Any]]]] = {}
    for event in events:
        product = event.data["product"]
        fields = told.setdefault((event.shop, product["product_id"]), {})
        words = {"stock": event.data["stock"]} if "stock" in event.data else {}
        for name, word in {"deleted": False, **words, **product}.items():
            if name in _FIELDS:
                fields.setdefault(name, []).extend((event.time, value) for value in _readable(name, word))
    return {key: {name: _last(words) for name, words in fields.items() if words} for key, fields in told.items()}


def _last(words: list[tuple[datetime, Any]]) -> Any:
    """The greatest of what was told last."""
    newest = max(at for at, _ in words)
    values = [value for at, value in words if at == newest and value is not None]
    return max(values) if values else None


def _readable(name: str, value: Any) -> list[Any]:
    """What a field's value means: nothing where it cannot be read."""
    if name == "deleted":
        return [value is True]
    if value is None or value == "":
        return [None]
    if name == "stock":
        return [] if value == "many" else [min(max(value, 0), MOST_STOCK)]
    if name == "use_up_days":
        return [min(max(value, 1), 3650)]
    if name == "category":
        return [] if isinstance(value, list) else [str(value)]
    return [value]
