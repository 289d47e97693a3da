"""What a condition may ask about. A name not here is a mistake, except below `event.`: the event's own data."""

from difflib import get_close_matches

ATTRIBUTES: dict[str, str] = {
    "cart.items": "how many different products lie in the cart",
    "friend": "whether the person is a friend of the campaign's LINE account",
    "orders.ever": "whether the person has ever ordered",
}

EVENT_PREFIX = "event."


def is_known(name: str) -> bool:
    """Whether conditions may ask about `name`."""
    return name in ATTRIBUTES or (name.startswith(EVENT_PREFIX) and len(name) > len(EVENT_PREFIX))


def nearest(name: str) -> str | None:
    """The known name that `name` was probably meant to be."""
    matches = get_close_matches(name, [*ATTRIBUTES, "all", "any", "not"], n=1)
    return matches[0] if matches else None
