"""What every delivery of Shopify's has: which topic, which delivery, when, from which shop.

Headers: https://shopify.dev/docs/apps/build/webhooks#headers. The signature covers the body and not the headers, so
that they are believed only as far as an event's own fields are.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.personal_data import without_contacts
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.domain.shopify.values import Json, instant, known
from todoke_shared.shops import Shopify

HISTORY_AFTER = timedelta(days=1)
"""What is told a day late was not late on its way (Shopify tries for four hours): somebody brought old data in."""

_MAX_AHEAD = timedelta(minutes=5)
_TOPIC = re.compile(r"[a-z0-9_.]{1,60}(/[a-z0-9_.]{1,60})?", re.ASCII)
_WEBHOOK_ID = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9.-]{1,250}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose signature is right. `at`: when Shopify triggered it; `test`: the admin's test button sent it."""

    topic: str
    id: str
    shop: str
    at: datetime
    domain: str | None
    payload: Json
    test: bool = False

    @property
    def group(self) -> str:
        """`orders` of `orders/create`."""
        return self.topic.partition("/")[0]

    def event(self, kind: str, subject: str | None, data: Json, *, part: int = 1) -> Json:
        """An event that this delivery alone tells: its id is the delivery's, with `/2`, `/3` … for further ones."""
        return self._event(kind, subject, data, self.id if part == 1 else f"{self.id}/{part}", self.at)

    def fact(self, kind: str, subject: str | None, data: Json, fact_id: str, at: datetime | None = None) -> Json:
        """An event that several deliveries may tell, so that it has an id of its own.

        `at`: when it really happened. More than a day ago, it is history, and starts nothing; else the delivery's time
        stands, which is exact to the microsecond: an order must not seem older than the cart that it closes.
        """
        happened = at if at is not None and self.at - at > HISTORY_AFTER else self.at
        event = self._event(kind, subject, data, fact_id, happened)
        return {**event, "history": True} if happened != self.at else event

    def _event(self, kind: str, subject: str | None, data: Json, event_id: str, at: datetime) -> Json:
        return known(
            specversion="1.0",
            id=event_id,
            source=f"shopify:{self.shop}",
            type=kind,
            time=at.isoformat(),
            subject=subject,
            shop=self.shop,
            data=without_contacts(data),
        )


def read_delivery(body: bytes, headers: Mapping[str, str], shop: str, platform: Shopify, now: datetime) -> Delivery:
    """A delivery whose signature has been verified. RequestRefusedError (400) tells what to check in Shopify."""
    domain = headers.get("x-shopify-shop-domain", "").strip().lower()
    if platform.domain is not None and domain != platform.domain.strip().lower():
        raise RequestRefusedError(
            400,
            "is not the domain of this shop; check the webhook's URL in that shop, and shopify.domain in TODOKE_CONFIG",
            field="x-shopify-shop-domain",
        )
    topic = headers.get("x-shopify-topic", "").strip().lower()
    if not _TOPIC.fullmatch(topic):
        raise RequestRefusedError(400, "must be a webhook topic such as orders/create", field="x-shopify-topic")
    payload = read_json(body)
    if not isinstance(payload, dict):
        raise RequestRefusedError(400, "must be a JSON object; choose JSON as the webhook's format")
    given = headers.get("x-shopify-webhook-id", "")
    return Delivery(
        topic=topic,
        id=given if _WEBHOOK_ID.fullmatch(given) else _digest(topic, body),
        shop=shop,
        at=_time(headers, payload, now),
        domain=domain if _DOMAIN.fullmatch(domain) else None,
        payload=payload,
        test=headers.get("x-shopify-test", "").lower() == "true",
    )


def _digest(topic: str, body: bytes) -> str:
    return "sha256:" + hashlib.sha256(topic.encode() + b"\n" + body).hexdigest()


def _time(headers: Mapping[str, str], payload: Json, now: datetime) -> datetime:
    # The header first: the payload's instants are cut to the second, and two changes within one would have no order.
    for told in (headers.get("x-shopify-triggered-at"), payload.get("updated_at"), payload.get("created_at")):
        found = instant(told)
        if found is not None and found - now <= _MAX_AHEAD:
            return found
    return now
