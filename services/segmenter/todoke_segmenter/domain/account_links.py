"""LINE's account link: a LINE user and a shop's customer become one by a nonce that both sides tell of.

The shop says to whom it gave the nonce (customer.link_issued), LINE who came back with it (accountLink, result ok;
https://developers.line.biz/en/reference/messaging-api/#account-link-event). Whichever is heard first waits for the
other; together they are what the shop could have said itself: customer.identified, at LINE's time.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from todoke_segmenter.domain.happening import LINE_PREFIX, Happening
from todoke_shared.contracts.ec_events import CustomerIdentified, LinkIssued
from todoke_shared.contracts.subjects import line_user
from todoke_shared.ids import account_link_key

ACCOUNT_LINK = f"{LINE_PREFIX}accountLink"


@dataclass(frozen=True)
class Linked:
    """LINE's half: who came back with the nonce, when, and by which webhook."""

    line_user: str
    at: datetime
    by: UUID
    standby: bool


@dataclass(frozen=True)
class Half:
    """What one side tells of a nonce, of which nothing but the hash is kept."""

    shop: str
    nonce_sha256: str
    customer: str | None = None
    linked: Linked | None = None


def half_of(happening: Happening) -> Half | None:
    """What a happening tells of a nonce; None where it tells nothing, or that LINE did not link the two."""
    if isinstance(happening.data, LinkIssued):
        return Half(happening.shop, happening.data.nonce_sha256, customer=happening.subject)
    link = happening.raw.get("link") if happening.type == ACCOUNT_LINK else None
    if not isinstance(link, dict) or link.get("result") != "ok" or not isinstance(link.get("nonce"), str):
        return None
    linked = Linked(happening.subject, happening.at, happening.key, happening.standby)
    return Half(happening.shop, hashlib.sha256(link["nonce"].encode()).hexdigest(), linked=linked)


def identified(shop: str, customer: str, linked: Linked) -> Happening:
    """That the two are one, as customer.identified says it."""
    user = line_user(linked.line_user)
    data = CustomerIdentified(identifiers=(customer,))
    return Happening(
        key=account_link_key(linked.by),
        shop=shop,
        subject=linked.line_user,
        type="customer.identified",
        at=linked.at,
        data=data,
        raw={"identifiers": [customer]},
        also=data.identifiers,
        standby=linked.standby,
        source=f"{LINE_PREFIX}{user.account if user else ''}",
    )
