"""The events of `ec.events.v1` that say who is who: their data, and what must hold of it."""

from typing import Any, Protocol

from pydantic import Field

from todoke_shared.contracts.ec_data import EventData
from todoke_shared.contracts.subjects import check_subject, line_user
from todoke_shared.errors import BadMessageError


class AboutIdentity(EventData):
    """What says who is who."""


class CustomerIdentified(AboutIdentity):
    """customer.identified: the subject is also the person known by each of `identifiers` (subjects too)."""

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


class CustomerUnidentified(AboutIdentity):
    """customer.unidentified: from `time` on, visitors and LINE users among `identifiers` are the subject no more.

    Each is a person of its own again. What was known until then stays with the subject, and so do members' own ids.
    Where the subject itself is a visitor or a LINE user, it leaves the customers that `identifiers` name.
    """

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


class LinkIssued(AboutIdentity):
    """customer.link_issued: the shop has given the customer, who is logged in, a nonce for LINE's account link.

    `nonce_sha256`: the nonce's SHA-256 in hexadecimal digits; the nonce itself is a secret, and stays with the shop
    (https://developers.line.biz/en/docs/messaging-api/linking-accounts/).
    """

    nonce_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class FriendImported(AboutIdentity):
    """friend.imported: the LINE user that the subject names was a friend of the account at `time`, or was none.

    `customer_id`: the shop's member who the LINE user is, where that is known.
    """

    friend: bool
    customer_id: str | None = Field(default=None, min_length=1, max_length=255)


class _Event(Protocol):
    @property
    def subject(self) -> str | None: ...
    @property
    def data(self) -> dict[str, Any]: ...


def check_identity(event: _Event, data: EventData) -> None:
    """Hold such an event's data against its rules. BadMessageError names field and reason."""
    if isinstance(data, CustomerIdentified | CustomerUnidentified):
        for index, identifier in enumerate(data.identifiers):
            check_subject(identifier, field=f"data.identifiers[{index}]")
    if isinstance(data, LinkIssued):
        _check_link(event)
    if isinstance(data, FriendImported) and line_user(event.subject or "") is None:
        raise BadMessageError("must be line:{account}:{userId}; a shop's member is no friend", field="subject")


def _check_link(event: _Event) -> None:
    if not (event.subject or "").startswith("customer:"):
        raise BadMessageError("must be customer:{id}; a nonce is given to a member who is logged in", field="subject")
    if "nonce" in event.data:
        raise BadMessageError("is a secret; keep it, and send nonce_sha256 alone", field="data.nonce")
