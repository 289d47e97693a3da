"""A state as it is stored: JSON, in `people.state`. What an earlier release wrote is read too (`state_before`)."""

from typing import Any

import msgspec

from todoke_shared.jsons import loads
from todoke_shared.people.carts import NO_ID
from todoke_shared.people.person import PersonState

LAYOUT = 2
"""Raise it with every release that adds to what is stored of people as JSON: older ones then stop (adapters/layout.py),
for they would drop what they do not know."""
_DECODER = msgspec.json.Decoder(PersonState)
_ENCODER = msgspec.json.Encoder()
_ONE_CART, _ONE_CART_IN_BYTES = '"cart":', b'"cart":'
"""Release 0.1 kept one cart for all cart ids. Elsewhere in a state (an attribute of this name) it means nothing."""


def encode_state(state: PersonState) -> bytes:
    """JSON without what has its default."""
    return _ENCODER.encode(state)


def decode_state(written: str | bytes) -> PersonState:
    """The state that was stored."""
    has_one = _ONE_CART in written if isinstance(written, str) else _ONE_CART_IN_BYTES in written
    return _with_one_cart(written) if has_one else _DECODER.decode(written)


def _with_one_cart(written: str | bytes) -> PersonState:
    stored: dict[str, Any] = loads(written)
    cart = stored.pop("cart", None)
    if isinstance(cart, dict):
        stored["carts"] = {NO_ID: cart, **stored.get("carts", {})}
    return msgspec.convert(stored, PersonState, str_keys=True)
