"""The catalogue is a join: order and repetition of what was told are of no consequence."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.product_events import START, about, by_the_book, catalogues
from todoke_segmenter.domain.happening import from_ec_event
from todoke_segmenter.domain.products import ProductTold, Told, join_products, product_told
from todoke_shared.contracts.ec_events import EcEvent, check_event
from todoke_shared.errors import BadMessageError


def told(event: EcEvent) -> ProductTold:
    """What an event about a product tells."""
    product = product_told(event)
    assert product is not None
    return product


def values(products: list[ProductTold]) -> dict[tuple[str, str], dict[str, Any]]:
    """The catalogue without times."""
    return {(p.shop, p.product_id): {name: field.value for name, field in p.fields.items()} for p in products}


@given(catalogues)
def test_the_catalogue_is_what_was_told_last(events: list[EcEvent]) -> None:
    """As the whole history says, looked through field by field by other code."""
    assert values(join_products(map(told, events))) == by_the_book(events)


@given(catalogues, st.randoms(use_true_random=False))
def test_late_and_repeated_words_give_the_same_catalogue(events: list[EcEvent], chance: random.Random) -> None:
    """Shuffled, some of them twice or three times, and in any parts: the catalogue is that of the history in order."""
    arrived = [told(event) for event in events for _ in range(chance.randint(1, 3))]
    chance.shuffle(arrived)
    cut = chance.randint(0, len(arrived))
    in_parts = join_products([*join_products(arrived[:cut]), *join_products(arrived[cut:])])
    assert in_parts == join_products(sorted(map(told, events), key=lambda product: product.at))


def test_a_field_that_is_not_told_stays_and_null_takes_it_away() -> None:
    """A price alone leaves the name; a null says that the name is not known any more."""
    [product] = join_products([told(about("tea", 0, name="抹茶", price=980)), told(about("tea", 1, price=900))])
    assert (product.fields["name"], product.fields["price"].value) == (Told(START, "抹茶"), 900)
    [product] = join_products([product, told(about("tea", 2, name=None))])
    assert product.fields["name"] == Told(START + timedelta(seconds=2), None)


def test_what_cannot_be_read_leaves_what_is_known() -> None:
    """A stock in words, a category that is a list: the rest of the event counts."""
    [product] = join_products(
        [told(about("tea", 0, stock=3, category="日本茶")), told(about("tea", 1, stock="many", category=[], price=980))]
    )
    assert {name: field.value for name, field in product.fields.items()} == {
        "stock": 3,
        "category": "日本茶",
        "price": 980,
        "deleted": False,
    }


def test_stock_may_stand_beside_the_product() -> None:
    """As product.restocked has had it; within the product it goes first."""
    assert told(about("tea", 0, type_="product.restocked", stock_beside=24)).fields["stock"].value == 24
    assert told(about("tea", 0, stock=3, stock_beside=24)).fields["stock"].value == 3


def test_a_row_stays_small_whatever_is_told() -> None:
    """Texts are cut or refused, numbers bounded; what else an event carries is not kept."""
    product = told(
        about("tea", 0, category="x" * 5000, stock=10**11, use_up_days=10**6, colour="green", tags=["x"] * 500)
    )
    assert {name: field.value for name, field in product.fields.items()} == {
        "category": "x" * 255,
        "stock": 10**9,
        "use_up_days": 3650,
        "deleted": False,
    }
    with pytest.raises(BadMessageError, match=r"data\.product\.name"):
        about("tea", 0, name="x" * 501)


def test_a_product_that_is_gone_comes_back_with_the_next_word() -> None:
    """Whatever is told of it later says that it is there."""
    gone, back = told(about("tea", 0, deleted=True)), told(about("tea", 1, type_="product.restocked", stock=3))
    assert join_products([back, gone])[0].fields["deleted"].value is False


def test_only_the_catalogues_own_events_tell_of_products() -> None:
    """A view or an order names products as they were then; one that a person waited for is about both."""
    seen = EcEvent.model_validate(
        {
            "specversion": "1.0",
            "id": "1",
            "source": "shop",
            "time": START,
            "subject": "customer:1",
            "type": "product.viewed",
            "data": {"product": {"product_id": "tea", "name": "抹茶"}},
        }
    )
    assert product_told(seen) is None
    awaited = seen.model_copy(update={"type": "product.restocked"})
    check_event(awaited)
    assert told(awaited).product_id == "tea"
    assert from_ec_event(awaited) is not None
