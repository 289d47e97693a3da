"""A crowd: messages that are the same to the letter, asked for in one record, and kept in one row while all goes well.

Rules (docs/adr/0033):
- Its members leave as one multicast, or the crowd is opened: each member becomes a delivery of its own, as if it had
  been asked for alone. Whatever is not the same for all of them is decided on deliveries.
- A message is in a crowd or is a delivery, never both.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

import msgspec

from todoke_dispatcher.domain.multicast import Multicast
from todoke_dispatcher.domain.rendering import addressed
from todoke_shared.contracts.requests import LARGEST_CROWD, LINE_USER, CrowdRequest, MessageRequest
from todoke_shared.errors import BadMessageError
from todoke_shared.ids import multicast_id, retry_key
from todoke_shared.jsons import dumps


class Member(msgspec.Struct, frozen=True, gc=False):
    """One of a crowd, as in its record."""

    id: UUID
    to: Annotated[str, msgspec.Meta(pattern=LINE_USER)]
    person: UUID | None = None
    enrolment: UUID | None = None


_MEMBERS = msgspec.json.Decoder(list[Member])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ID = msgspec.json.Decoder(UUID)


@dataclass(frozen=True, slots=True)
class Crowd:
    """A request to many. `request`: the JSON object of what the requests of its members have in common."""

    id: UUID
    account: str
    shop: str
    campaign: str | None
    step: str | None
    members: tuple[Member, ...]
    request: bytes
    expires_at: datetime | None

    def request_of(self, member: Member) -> bytes:
        """What that member's own request would be."""
        return dumps(member)[:-1] + b"," + self.request[1:]

    def parted(self, users: Collection[str]) -> tuple[Self, list[Member]]:
        """The crowd without these users, and their members."""
        left = [member for member in self.members if member.to in users]
        return replace(self, members=tuple(one for one in self.members if one.to not in users)), left

    def is_multicast(self) -> bool:
        """Whether LINE would deliver one request with these recipients to each of them."""
        return len(self.members) > 1 and len({member.to for member in self.members}) == len(self.members)

    def as_multicast(self, content: bytes, *, wall: datetime, month: date) -> Multicast:
        """The group in which its members leave: due now, its places in `month` taken. RenderError: it is too large.

        Named after the crowd, and not after its first message: should two crowds hold that, neither stops the other.
        """
        own = multicast_id(self.id, 1)
        return Multicast(
            own,
            self.account,
            members=tuple(member.id for member in self.members),
            body=addressed([member.to for member in self.members], content),
            retry_key=retry_key(own, 0),
            expires_at=self.expires_at,
            next_attempt_at=wall,
            quota_month=month,
            campaign=self.campaign,
            crowd=self.id,
        )


def read_crowd(value: bytes) -> Crowd:
    """The crowd that a record asks for. BadMessageError names the field and the reason.

    What its members have in common is held against the contract once, and of each of them only what is its own.
    """
    try:
        fields = _FIELDS.decode(value)
        own, members = _ID.decode(fields.pop("id")), _MEMBERS.decode(fields.pop("recipients"))
    except (ValueError, KeyError):  # msgspec's errors are ValueErrors
        CrowdRequest.from_json(value)  # says what is wrong, and where
        raise BadMessageError("cannot be read as a request to many") from None
    if not 1 <= len(members) <= LARGEST_CROWD:
        raise BadMessageError(f"has 1 to {LARGEST_CROWD} of them", field="recipients")
    if len({member.id for member in members}) != len(members):
        raise BadMessageError("names a message twice", field="recipients")
    if "rich_menu" in fields:
        raise BadMessageError("a rich menu is asked for by a request to one", field="rich_menu")
    for field in ("to", "person", "enrolment"):
        fields.pop(field, None)
    common = dumps(fields)
    first = MessageRequest.from_json(dumps(members[0])[:-1] + b"," + common[1:])
    return Crowd(own, first.account, first.shop, first.campaign, first.step, tuple(members), common, first.expires_at)
