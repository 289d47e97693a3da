"""What a message's templates may say, and what of it they do: no more than that is read, and goes on the wire."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, TypeAlias

from jinja2 import Environment, TemplateSyntaxError, nodes

from todoke_scheduler.domain.enrolment import ANSWERS, COUPON, Enrolment
from todoke_scheduler.domain.recipient import PersonNow
from todoke_shared.campaigns.message_parts import template_texts
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions.dates import date_of

VARIABLES = frozenset({"event", "cart", "products", "person", "coupon", "answers", "today"})
PRODUCTS = "products"
Catalogue: TypeAlias = Mapping[tuple[str, str], Mapping[str, Any]]
"""What is known of products, by shop and id."""
NO_CATALOGUE: Catalogue = {}
OF_STATE = frozenset({"person", "answers"})
"""What is told by all that is known of the person."""
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it reads names, and renders nothing
_NOT_TOLD = frozenset({"email", "phone", "email_sha256", "phone_sha256"})
"""Attributes that no message has a use for: they would stand in topics for nothing."""


@lru_cache(maxsize=10_000)
def _named(text: str) -> frozenset[str]:
    if "{" not in text:
        return frozenset()
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError:
        return frozenset()  # it cannot be rendered either: the dispatcher says why
    return VARIABLES & {name.name for name in tree.find_all(nodes.Name)}


def variables_named(message: object) -> frozenset[str]:
    """The variables that the texts of a message name."""
    return frozenset().union(*map(_named, template_texts(message)))


def product_ids(run: Enrolment, person: PersonNow) -> list[str]:
    """The products that a run is about: those in the cart, then those that the event names, each once."""
    event = run.context.get("event", {})
    items = event.get("items")
    named = [*_cart(run, person), event, event.get("product"), *(items if isinstance(items, list) else ())]
    ids = (one.get("product_id") for one in named if isinstance(one, Mapping))
    return list(dict.fromkeys(one for one in ids if isinstance(one, str)))


def variables(  # noqa: PLR0913, PLR0917 - what a message may be told
    run: Enrolment,
    person: PersonNow,
    named: frozenset[str],
    now: datetime,
    zone: tzinfo = TOKYO,
    catalogue: Catalogue = NO_CATALOGUE,
) -> dict[str, Any]:
    """Those of a run at `now`: the balance, the cart and the rest are of then. `zone`: the campaign's, of `today`.

    `catalogue`: at least what is known of `product_ids`, where `products` is named.
    """
    told: dict[str, Any] = {}
    if "event" in named:
        told["event"] = run.context.get("event", {})
    if "cart" in named:
        told["cart"] = _cart(run, person)
    if PRODUCTS in named:
        known = ((run.shop, product) for product in product_ids(run, person))
        told[PRODUCTS] = [catalogue[one] for one in known if one in catalogue]
    if "person" in named:
        told["person"] = _person(person.state, now)
    if "coupon" in named:
        told["coupon"] = {"code": run.notes.get(COUPON)}
    if "answers" in named:
        told["answers"] = {name: one.value for name, one in person.state.answers.items() if one.value is not None}
        told["answers"] |= run.notes.get(ANSWERS, {})
    if "today" in named:
        told["today"] = now.astimezone(zone).date().isoformat()
    return told


def _cart(run: Enrolment, person: PersonNow) -> Any:
    """As it is now; as it was, if it is gone."""
    return person.facts.get("cart") or run.context.get("cart", [])


def _person(state: PersonState, now: datetime) -> dict[str, Any]:
    """What is not known is left out, so that a template that needs it fails, and `default` mends it."""
    told = {
        name: one.value for name, one in state.profile.items() if one.value is not None and name not in _NOT_TOLD
    } | {"tags": sorted(name for name, one in state.tags.items() if one.value is True)}
    if state.points is not None and state.points.value is not None:
        told["points"] = state.points.value
    if (born := date_of(told.get("birthday"))) is not None:
        told["birthday_month"] = born.month
    today = now.astimezone(TOKYO).date().isoformat()
    coming = {day: one.value for day, one in state.expiring.items() if day >= today and one.value}
    if coming:
        first = min(coming)
        told |= {"points_expiring": coming[first], "points_expire_on": first}
    return told
