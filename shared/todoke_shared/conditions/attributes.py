"""What a condition may ask about: each attribute, its kind, and which operators a kind takes.

A name not here is a mistake, except below a prefix: `event.` (the event's own data), `profile.`, `date.` (whatever the
shop tells of its customers), `consent.` and `answer.`.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from todoke_shared.conditions.model import Operator

Kind = Literal[
    "anything",
    "text",
    "gender",
    "flag",
    "whole",
    "texts",
    "tags",
    "prefecture",
    "region",
    "birthday",
    "date",
    "count",
    "product",
    "store",
    "expiring",
    "instant",
    "coupon",
    "subscription",
    "segment",
]


@dataclass(frozen=True)
class Attribute:
    """`meaning` completes the sentence "this is …"."""

    kind: Kind
    meaning: str


NUMERIC: tuple[Operator, ...] = ("at_least", "at_most", "more_than", "less_than")
_TEXT: tuple[Operator, ...] = ("is", "one_of", "known")
_NUMBER: tuple[Operator, ...] = ("is", *NUMERIC, "one_of")
_LIST: tuple[Operator, ...] = ("has", "has_any", "has_all", "known")

OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    "anything": ("is", *NUMERIC, "one_of", "known", "has", "has_any", "has_all"),
    "text": _TEXT,
    "gender": _TEXT,
    "prefecture": _TEXT,
    "region": _TEXT,
    "subscription": _TEXT,
    "flag": ("is", "known"),
    "whole": (*_NUMBER, "known"),
    "texts": _LIST,
    "tags": _LIST,
    "coupon": _LIST,
    "birthday": ("known",),
    "date": ("known",),
    "instant": ("known",),
    "count": _NUMBER,
    "product": _NUMBER,
    "store": _NUMBER,
    "expiring": _NUMBER,
    "segment": ("is", "one_of"),
}
"""The operators of each kind; the first is what a plain value means, where the kind takes one."""

WORDS: dict[Kind, tuple[str, ...]] = {
    "birthday": ("month", "in_days"),
    "date": ("in_days",),
    "instant": ("within", "before"),
    "count": ("within",),
    "product": ("product", "within"),
    "store": ("store", "within"),
    "expiring": ("within",),
}
"""What may stand beside a kind's operators."""

GENDERS = ("female", "male", "other")
SUBSCRIPTION_STATES = ("active", "cancelled")

ATTRIBUTES: dict[str, Attribute] = {
    "gender": Attribute("gender", "the person's gender: female, male, other"),
    "age": Attribute("whole", "the age in years by the birthday, in the shop's time zone"),
    "birthday": Attribute("birthday", "the birthday: its month, or the days to its next coming"),
    "prefecture": Attribute("prefecture", "the prefecture the person lives in"),
    "region": Attribute("region", "the region of Japan that the prefecture is in"),
    "city": Attribute("text", "the city"),
    "job": Attribute("text", "the occupation"),
    "language": Attribute("text", "the language"),
    "tier": Attribute("text", "the tier of membership"),
    "interests": Attribute("texts", "the interests told"),
    "worries": Attribute("texts", "the worries told"),
    "tags": Attribute("tags", "the tags that the person bears now"),
    "accepts_marketing": Attribute("flag", "whether the shop may advertise to the person, as the shop has it"),
    "orders": Attribute("count", "the number of orders"),
    "amount": Attribute("count", "what the orders came to, in yen"),
    "returns": Attribute("count", "the number of returns"),
    "visits": Attribute("count", "the number of days with a visit"),
    "product_views": Attribute("count", "the number of product pages seen"),
    "searches": Attribute("count", "the number of searches"),
    "clicks": Attribute("count", "the number of clicks on links in messages"),
    "bought": Attribute("product", "how many of a product were bought"),
    "viewed": Attribute("product", "how often a product's page was seen"),
    "visited_store": Attribute("store", "the number of days with a visit to a physical store"),
    "first_seen": Attribute("instant", "when the person was first heard of"),
    "last_seen": Attribute("instant", "when the person last did anything"),
    "last_visit": Attribute("instant", "the last visit"),
    "first_order": Attribute("instant", "the first order"),
    "last_order": Attribute("instant", "the last order"),
    "last_return": Attribute("instant", "the last return"),
    "last_click": Attribute("instant", "the last click on a link in a message"),
    "registered": Attribute("instant", "when the person became a member"),
    "points": Attribute("whole", "the balance of points"),
    "points.expiring": Attribute("expiring", "the points that expire, from today on"),
    "coupon": Attribute("coupon", "the coupons held: issued, not used, not expired"),
    "subscription": Attribute("subscription", "the state of any one of the subscriptions: active, cancelled"),
    "friend": Attribute("anything", "whether the person is a friend of the campaign's LINE account"),
    "cart.items": Attribute("anything", "how many different products lie in the cart"),
    "orders.ever": Attribute("anything", "whether the person has ever ordered"),
    "segment": Attribute("segment", "another segment, whose condition holds"),
}

EVENT_PREFIX = "event."
PROFILE_PREFIX = "profile."
DATE_PREFIX = "date."
CONSENT_PREFIX = "consent."
ANSWER_PREFIX = "answer."

PREFIXES: dict[str, Attribute] = {
    EVENT_PREFIX: Attribute("anything", "any field of the event's data, by its path"),
    PROFILE_PREFIX: Attribute("anything", "any other attribute that the shop tells of its customers, by its name"),
    DATE_PREFIX: Attribute("date", "a date among those attributes: the days from today to it"),
    CONSENT_PREFIX: Attribute("flag", "whether the person consents to this purpose"),
    ANSWER_PREFIX: Attribute("anything", "what the person answered to this question of a survey"),
}

_COMBINATIONS = ("all", "any", "not")


def find(name: str) -> Attribute | None:
    """What conditions may ask about under this name; None when there is no such attribute."""
    if found := ATTRIBUTES.get(name):
        return found
    return next(
        (told for prefix, told in PREFIXES.items() if name.startswith(prefix) and len(name) > len(prefix)), None
    )


def is_known(name: str) -> bool:
    """Whether conditions may ask about `name`."""
    return find(name) is not None


def nearest(name: str) -> str | None:
    """The known name that `name` was probably meant to be."""
    first, dot, rest = name.partition(".")
    if dot and rest and (matches := get_close_matches(first + dot, PREFIXES, n=1, cutoff=0.75)):
        return matches[0] + rest
    close = get_close_matches(name, [*ATTRIBUTES, *_COMBINATIONS], n=1)
    return close[0] if close else None
