"""What the browser tag tells -> CloudEvents about a visitor.

The key of a tag stands in the shop's pages for everybody to read. So a browser tells of looking, of carts, and, proven
by the shop, of who has logged in; it can never claim an order, points or another person.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.page_urls import page_url, referrer
from todoke_ingest.domain.refusals import WHOLE_BODY, RequestRefusedError
from todoke_ingest.domain.signature import is_signed
from todoke_shared.contracts.ec_events import CART_CHANGES
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.errors import BadMessageError

IDENTIFIED = "customer.identified"
BROWSER_TYPES = CART_CHANGES | {"page.viewed", "product.viewed", "products.searched", "checkout.started", IDENTIFIED}
"""All that a public key may tell, besides `custom.*`."""

MAX_EVENTS = 100
"""The tag keeps 50 at most."""

MAX_AGE = timedelta(days=7)
"""What a browser kept longer, offline, starts nothing that anybody still waits for."""

MAX_TITLE = 300

_CUSTOM = re.compile(r"custom\.(?!link\.|shopify\.|tag\.|survey\.|coupon\.)[\w.:-]{1,100}")
"""Not those that tell of clicks, platforms, or what the shop itself does."""
_MAX_MS = 10**14
"""Milliseconds of a browser's clock; the year 5138."""


class Collected(BaseModel):
    """The body of POST /v1/collect: one visitor's events. `sent_at`: the browser's clock, in ms since 1970."""

    model_config = ConfigDict(frozen=True, strict=True)

    visitor: str = Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")
    sent_at: float = Field(ge=0, le=_MAX_MS, allow_inf_nan=False)
    events: list[object] = Field(max_length=MAX_EVENTS)


class TagEvent(BaseModel):
    """One event. `id` is the browser's own, so that a repeat is recognised; `time`: its clock, in ms since 1970."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")
    type: str
    time: float = Field(ge=0, le=_MAX_MS, allow_inf_nan=False)
    data: dict[str, object] = {}


class Identity(BaseModel):
    """The `data` of customer.identified. `signature`: lower-case hexadecimal HMAC-SHA256 of the id, in UTF-8."""

    model_config = ConfigDict(frozen=True, strict=True)

    customer_id: str = Field(min_length=1, max_length=255)
    signature: str | None = None


def read_collected(body: bytes) -> Collected:
    """The body. RequestRefusedError (400) when it is no tag's."""
    try:
        return Collected.model_validate(read_json(body))
    except ValidationError as error:
        complaint = bad_message(error)
        raise RequestRefusedError(400, complaint.reason, field=complaint.field or WHOLE_BODY) from None


def cloud_event(
    raw: object, collected: Collected, shop: str, now: datetime, identity_secrets: Iterable[str] | None
) -> dict[str, object]:
    """One event of the tag as a CloudEvent. BadMessageError names the field and the reason.

    `identity_secrets`: what the shop proves a login by; None in a trial, where a login is believed.
    """
    try:
        event = TagEvent.model_validate(raw)
    except ValidationError as error:
        raise bad_message(error) from None
    if event.type not in BROWSER_TYPES and not _CUSTOM.fullmatch(event.type):
        types = ", ".join(sorted(BROWSER_TYPES))
        raise BadMessageError(f"a browser may tell {types} and custom.*; the rest is the backend's", field="type")
    told: dict[str, object] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"browser:{shop}",
        "type": event.type,
        "time": happened_at(event.time, collected.sent_at, now).isoformat(),
        "shop": shop,
    }
    if event.type == IDENTIFIED:
        customer = _customer(event.data, identity_secrets)
        identifiers = [f"visitor:{collected.visitor}"]
        return {**told, "subject": f"customer:{customer}", "data": {"identifiers": identifiers}}
    return {**told, "subject": f"visitor:{collected.visitor}", "data": _presentable(event.data)}


def happened_at(time_ms: float, sent_at_ms: float, now: datetime) -> datetime:
    """When it happened by our clock, whatever the browser's says: as long before now as it was before `sent_at`.

    Never in the future. BadMessageError when it lies longer back than MAX_AGE.
    """
    ago = timedelta(milliseconds=max(sent_at_ms - time_ms, 0))
    if ago > MAX_AGE:
        raise BadMessageError(f"is more than {MAX_AGE.days} days before sent_at", field="time")
    return now - ago


def _customer(data: dict[str, object], secrets: Iterable[str] | None) -> str:
    try:
        identity = Identity.model_validate(data)
    except ValidationError as error:
        complaint = bad_message(error)
        raise BadMessageError(complaint.reason, field=f"data.{complaint.field}") from None
    # Else a stranger ties a browser to somebody's membership, and that member is written to about the stranger's cart.
    if secrets is not None and not is_signed(identity.customer_id.encode(), identity.signature, secrets, "hex"):
        raise BadMessageError(
            "must be the hexadecimal HMAC-SHA256 of customer_id with one of the shop's identity_secrets "
            "(TODOKE_CONFIG), made by the shop's server",
            field="data.signature",
        )
    return identity.customer_id


def _presentable(data: dict[str, object]) -> dict[str, object]:
    """The data, its pages' addresses without secrets and its texts of a bearable length."""
    shown = _with(_with(data, "url", page_url), "referrer", referrer)
    product = shown.get("product")
    if isinstance(product, dict):
        shown = {**shown, "product": _with(product, "url", page_url)}
    return _with(shown, "title", lambda title: title[:MAX_TITLE])


def _with(data: dict[str, object], name: str, change: Callable[[str], str | None]) -> dict[str, object]:
    if name not in data:
        return data
    value = data[name]
    changed = change(value) if isinstance(value, str) else None
    rest = {key: other for key, other in data.items() if key != name}
    return rest if changed is None else {**rest, name: changed}
