"""The e-commerce spec's names in our words; each result is held against the vocabulary itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ingest.stand_ins import NOW, Json
from todoke_ingest.domain.cloudevents import read_event
from todoke_ingest.domain.segment import Sender, read_message
from todoke_ingest.domain.segment_ecommerce import MEANINGS
from todoke_ingest.domain.segment_values import snake
from todoke_shared.contracts.ec_events import EVENT_TYPES
from todoke_shared.errors import BadMessageError

GAME: Json = {
    "product_id": "507f",
    "sku": "G-32",
    "category": "Games",
    "name": "Monopoly",
    "price": 18.99,
    "quantity": 2,
    "url": "https://shop.example/p",
    "image_url": "https://shop.example/p.jpg",
}
OURS = {name: value for name, value in GAME.items() if name != "quantity"}


def tracked(event: str, **properties: object) -> tuple[object, object]:
    """Type and data of a track call, once the vocabulary has taken it."""
    raw = {"type": "track", "event": event, "userId": "7", "messageId": "m", "properties": properties}
    [made] = read_message(raw, Sender("main", NOW))
    read_event(made, NOW)
    return made["type"], made["data"]


def test_a_product_is_viewed() -> None:
    """With what a message may show of it."""
    assert tracked("Product Viewed", **GAME, currency="JPY") == ("product.viewed", {"product": OURS, "currency": "JPY"})


@pytest.mark.parametrize("name", ["Product Added", "Added Product", "Wishlist Product Added to Cart"])
def test_a_product_comes_into_the_cart(name: str) -> None:
    """With its quantity, under the cart's id."""
    assert tracked(name, cart_id="c", **GAME) == ("cart.item_added", {"cart_id": "c", "item": {**OURS, "quantity": 2}})


def test_a_product_leaves_the_cart() -> None:
    """By its id alone."""
    assert tracked("Product Removed", cart_id="c", **GAME) == (
        "cart.item_removed",
        {"cart_id": "c", "product_id": "507f"},
    )


def test_a_viewed_cart_is_the_whole_cart() -> None:
    """What is in it, without what has quantity 0 or no id; an empty one is empty."""
    products = [GAME, {"sku": 5}, {"product_id": "gone", "quantity": 0}, {"name": "gift wrap"}]
    items = [{**OURS, "quantity": 2}, {"sku": 5, "product_id": "5"}]
    assert tracked("Cart Viewed", cart_id="c", products=products) == ("cart.updated", {"cart_id": "c", "items": items})
    assert tracked("Cart Viewed", products=[]) == ("cart.updated", {"items": []})


def test_a_cart_that_nobody_described_is_not_an_empty_one() -> None:
    """Without products it stays an event of the shop's own; with products that nobody can name it is refused."""
    assert tracked("Cart Viewed", cart_id="c") == ("custom.cart_viewed", {"cart_id": "c"})
    with pytest.raises(BadMessageError, match="product_id or sku"):
        tracked("Cart Viewed", products=[{"name": "tea"}])


def test_an_order_is_placed_with_its_total() -> None:
    """Items, amount (the total, discounts and all), currency, coupons, and everything else it told."""
    kind, data = tracked(
        "Order Completed",
        order_id=1001,
        checkout_id="k",
        total="3,300",
        revenue=3000,
        shipping=300,
        currency="jpy",
        coupon="NEKO",
        products=[GAME],
    )
    assert kind == "order.placed"
    assert data == {
        "order_id": "1001",
        "checkout_id": "k",
        "total": "3,300",
        "revenue": 3000,
        "shipping": 300,
        "currency": "JPY",
        "amount": 3300,
        "coupons": ["NEKO"],
        "items": [{**OURS, "quantity": 2}],
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Order Refunded", "order.refunded"),
        ("Order Cancelled", "order.cancelled"),
        ("order canceled", "order.cancelled"),
    ],
)
def test_an_order_comes_undone(name: str, kind: str) -> None:
    """By its id alone where no more is told; without one, nobody knows which."""
    assert tracked(name, order_id="o") == (kind, {"order_id": "o"})
    with pytest.raises(BadMessageError) as error:
        tracked(name, total=5)
    assert error.value.field == "properties.order_id"


def test_a_checkout_starts() -> None:
    """With its value and items; it may know no order yet."""
    kind, data = tracked("Checkout Started", value=30, revenue=25, products=[GAME])
    assert (kind, data) == (
        "checkout.started",
        {"value": 30, "revenue": 25, "amount": 30, "items": [{**OURS, "quantity": 2}]},
    )


def test_a_search_and_a_review_keep_what_they_tell() -> None:
    """The query; the product, and its rating as a number."""
    assert tracked("Products Searched", query="抹茶") == ("products.searched", {"query": "抹茶"})
    assert tracked("Product Reviewed", product_id="p", review_id="r", rating="5") == (
        "review.posted",
        {"product_id": "p", "review_id": "r", "rating": 5},
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"product_id": "p", "price": "1,980"}, {"product_id": "p", "price": 1980}),
        (
            {"product_id": "p", "price": -1, "url": "x" * 1001, "name": "n" * 501},
            {"product_id": "p", "name": "n" * 500},
        ),
        ({"sku": "s"}, {"sku": "s", "product_id": "s"}),
        ({"product_id": "", "sku": "s"}, {"product_id": "s", "sku": "s"}),
        ({"productId": "p", "order_id": 5}, {"productId": "p", "product_id": "p"}),
    ],
)
def test_what_cannot_be_read_of_a_product_is_left_out(given: Json, expected: Json) -> None:
    """Which product it is never is; the sku stands in where there is no product_id."""
    assert tracked("Product Viewed", **given)[1] == {
        **({"order_id": "5"} if "order_id" in given else {}),
        "product": expected,
    }


@pytest.mark.parametrize("quantity", [0, -1, "many", 1.5, 10**9, None, True])
def test_a_quantity_that_is_none_is_one(quantity: object) -> None:
    """The cart then holds the product once, as the vocabulary has it."""
    assert tracked("Product Added", product_id="p", quantity=quantity)[1] == {"item": {"product_id": "p"}}


@pytest.mark.parametrize(
    "name", ["product added", "PRODUCT ADDED", "product_added", "ProductAdded", " Product  Added "]
)
def test_a_name_counts_however_it_is_written(name: str) -> None:
    """Capitals, blanks and underscores tell nothing apart."""
    assert tracked(name, product_id="p")[0] == "cart.item_added"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Signed Up", "custom.signed_up"),
        ("Product List Viewed", "custom.product_list_viewed"),
        ("Order Updated", "custom.order_updated"),
        ("カートを 見た！", "custom.カートを_見た"),
        ("ｸｰﾎﾟﾝ使用", "custom.クーポン使用"),
        ("custom.product added", "custom.product_added"),
        ("order.shipped", "order.shipped"),
        ("customer.identified", "custom.customer_identified"),
    ],
)
def test_any_other_name_is_the_shops_own(name: str, kind: str) -> None:
    """custom.*, in any script; but a name that is one of our own types is that."""
    assert tracked(name)[0] == kind


def test_customer_registered_may_be_tracked() -> None:
    """Its properties are then a person's traits."""
    assert tracked("customer.registered", firstName="花子") == ("customer.registered", {"name": "花子"})


@given(st.text(min_size=1))
def test_every_name_makes_a_type_within_its_limits(name: str) -> None:
    """Whatever it is written in, and however long."""
    words = snake(name)
    assert 1 <= len(words) <= 200
    assert not any(character.isspace() or character == "\x00" for character in words)


def test_long_and_wordless_names_are_told_apart() -> None:
    """What is cut off, or is no letter, still counts."""
    assert len({snake("x" * 300), snake("x" * 301), snake("🎉"), snake("🎁")}) == 4


def test_every_meaning_is_in_the_vocabulary() -> None:
    """A table that names a type we do not know would refuse every such event."""
    assert {meaning.type for meaning in MEANINGS.values()} <= EVENT_TYPES
    assert all(snake(name) == name for name in MEANINGS)
