"""What other rooms may read of a person (the view `segmenter.published_people`)."""

from typing import Any

from todoke_shared.people.person import PersonState

MOST_PUBLISHED = 100
"""Items of a cart that others see: far more than a message can name, and few enough for the records that carry them."""


def published_facts(state: PersonState) -> dict[str, Any]:
    """The cart that the person is about to buy, and the last order."""
    return {"cart": published_cart(state), "last_order_at": state.last_order_at}


def published_cart(state: PersonState) -> list[dict[str, Any]]:
    """What lies in that cart, oldest first."""
    return [
        {"product_id": product, "name": line.name or product, "quantity": line.quantity, "price": line.price}
        for product, line in state.cart.items()[:MOST_PUBLISHED]
    ]


def is_published_anew(before: PersonState, after: PersonState) -> bool:
    """Whether the facts may differ; most events leave them as they are. False is sure, and True a guess."""
    return (
        after.carts is not before.carts
        or after.last_order_at is not before.last_order_at
        or before.first_seen_at is None  # of somebody new nothing is published yet
    )
