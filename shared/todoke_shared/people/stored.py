"""A state as it is stored: JSON, in `people.state`. What an earlier release wrote is read too."""

from typing import Any

import msgspec

from todoke_shared.jsons import loads
from todoke_shared.people.carts import NO_ID
from todoke_shared.people.person import PersonState

LAYOUT = 1
"""Raise it with every release that adds to what is stored of people as JSON: older ones then stop (adapters/layout.py),
for they would drop what they do not know."""
_DECODER = msgspec.json.Decoder(PersonState)
_ENCODER = msgspec.json.Encoder()
_ONE_CART = '"cart":'
"""Release 0.1 kept one cart for all cart ids. Elsewhere in a state (an attribute of this name) it means nothing."""


def encode_state(state: PersonState) -> str:
    """JSON without what has its default."""
    return _ENCODER.encode(state).decode()


def decode_state(text: str) -> PersonState:
    """The state that was stored."""
    return _with_one_cart(text) if _ONE_CART in text else _DECODER.decode(text)


def _with_one_cart(text: str) -> PersonState:
    stored: dict[str, Any] = loads(text)
    cart = stored.pop("cart", None)
    if isinstance(cart, dict):
        stored["carts"] = {NO_ID: cart, **stored.get("carts", {})}
    return msgspec.convert(stored, PersonState, str_keys=True)
