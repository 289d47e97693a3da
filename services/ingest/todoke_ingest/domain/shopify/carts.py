"""carts/* and checkouts/*: what lies in a cart, and that its owner means to pay."""

from todoke_ingest.domain.shopify.delivery import Delivery
from todoke_ingest.domain.shopify.people import also, cart_token, cart_visitor, customer_of, tag_visitor
from todoke_ingest.domain.shopify.values import Json, combined_items, identifier, known, mappings, number, text


def cart_events(delivery: Delivery) -> list[Json]:
    """The whole cart as it now is, after a word on whose it is where the payload knows more than the token."""
    payload = delivery.payload
    token = cart_token(payload, "token") or cart_token(payload, "id")
    subject = _owner(payload, token)
    data = known(cart_id=token, items=combined_items(mappings(payload, "line_items")))
    return [*_link(delivery, subject, token), delivery.event("cart.updated", subject, data)]


def checkout_events(delivery: Delivery) -> list[Json]:
    """checkout.started once a checkout, however often it is updated; none for one that is complete when first told of.

    A checkout without a cart (a "buy now" button) is a cart of its own.
    """
    payload = delivery.payload
    token = cart_token(payload, "token") or identifier(payload, "id")
    cart = cart_token(payload, "cart_token") or token
    subject = _owner(payload, cart)
    events = _link(delivery, subject, cart)
    if payload.get("completed_at") is None and token is not None:
        data = known(
            cart_id=cart,
            items=combined_items(mappings(payload, "line_items")),
            amount=number(payload, "total_price"),
            currency=text(payload, "currency"),
            checkout_url=(text(payload, "abandoned_checkout_url") or "")[:1000] or None,
        )
        events.append(delivery.fact("checkout.started", subject, data, f"checkout/{token}/started"))
    return events


def _owner(payload: Json, cart: str | None) -> str | None:
    return customer_of(payload) or tag_visitor(payload) or cart_visitor(cart)


def _link(delivery: Delivery, subject: str | None, cart: str | None) -> list[Json]:
    """That the cart's visitor is this person: one and the same fact, told again with every change of the cart."""
    others = also(subject, cart_visitor(cart), tag_visitor(delivery.payload)) if subject else []
    if subject is None or not others:
        return []
    fact = f"cart/{cart}/is/{'/'.join((subject, *others))}"
    return [delivery.fact("customer.identified", subject, {"identifiers": others}, fact[:500])]
