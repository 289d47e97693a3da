"""`message.requests.{transactional,marketing}.v1`: messages that people are owed. Other systems may write here."""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field, model_validator

from todoke_shared.contracts.envelope import Contract, Instant, Name
from todoke_shared.contracts.json_values import CARRIED_DEPTH
from todoke_shared.contracts.rules import exactly_one
from todoke_shared.jsons import dumps

Lane = Literal["transactional", "marketing"]
LINE_USER = r"^U[0-9a-f]{32}$"
LARGEST_CROWD = 500
"""LINE's limit of recipients in a multicast (LINE-API.md: rate limits)."""


class TemplateRef(Contract):
    """A message of a published campaign, and what to fill in.

    `question`: the one that it asks (an `ask` of that version), whose answers become buttons under it.
    """

    campaign: Name
    version: int = Field(ge=1)
    message: str
    variables: dict[str, Any] = Field(default_factory=dict)
    question: Name | None = None


class Recipient(Contract):
    """One of a crowd. `id` is the identity of this person's message for ever, as in a request of its own."""

    id: UUID
    to: str = Field(pattern=LINE_USER)
    person: UUID | None = None
    enrolment: UUID | None = None


class CrowdRequest(Contract):
    """One message to as many as LINE takes in a request: marketing that is the same for all, to the letter.

    What a MessageRequest to each would ask for, at a fraction of the cost. `id` is the crowd's: written twice, it is
    one; no message in it is asked for anywhere else.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one("template", "messages"))

    schema_version: Literal[1] = 1
    id: UUID
    shop: Name = "main"
    account: Name
    recipients: tuple[Recipient, ...] = Field(min_length=1, max_length=LARGEST_CROWD)
    campaign: Name | None = None
    step: str | None = None
    due_at: Instant
    expires_at: Instant | None = None
    template: TemplateRef | None = None
    messages: tuple[dict[str, Any], ...] | None = Field(default=None, min_length=1, max_length=5)

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.template is None) == (self.messages is None):
            raise ValueError("give either template or messages")
        return self


class MessageRequest(Contract):
    """One message to one LINE user: `template`, or LINE's own message objects in `messages` (1 to 5).

    Or no message, but the rich menu that the user is to have: `rich_menu`, its alias, or `none` for none of their own.

    `id` is the message's identity for ever: a request written twice is one message.
    `due_at` is when the campaign owed it; `expires_at` when it is no longer useful.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one("template", "messages", "rich_menu"))
    deepest: ClassVar[int] = CARRIED_DEPTH

    schema_version: Literal[1] = 1
    id: UUID
    shop: Name = "main"
    account: Name
    to: str = Field(pattern=LINE_USER)
    person: UUID | None = None
    campaign: Name | None = None
    step: str | None = None
    enrolment: UUID | None = None
    due_at: Instant
    expires_at: Instant | None = None
    template: TemplateRef | None = None
    messages: tuple[dict[str, Any], ...] | None = Field(default=None, min_length=1, max_length=5)
    rich_menu: Name | None = None

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if sum(content is not None for content in (self.template, self.messages, self.rich_menu)) != 1:
            raise ValueError("give exactly one of template, messages and rich_menu")
        return self


class OwnTemplateRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A TemplateRef of our own making."""

    campaign: str
    version: int
    message: str
    variables: dict[str, Any]
    question: str | None = None


class OwnRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A MessageRequest of our own making. Nothing in it needs to be checked, and it is written by the
    million: at a tenth of the cost. The same on the wire, which a contract test holds."""

    schema_version: int
    id: UUID
    shop: str
    account: str
    to: str
    person: UUID
    campaign: str
    step: str
    enrolment: UUID
    due_at: datetime
    expires_at: datetime | None = None
    template: OwnTemplateRef | None = None
    rich_menu: str | None = None

    def to_json(self) -> bytes:
        """The record's value, as it goes on the wire."""
        return dumps(self)


class OwnRecipient(msgspec.Struct, frozen=True, gc=False):
    """A Recipient of our own making."""

    id: UUID
    to: str
    person: UUID
    enrolment: UUID


class OwnCrowd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CrowdRequest of our own making, likewise."""

    schema_version: int
    id: UUID
    shop: str
    account: str
    recipients: list[OwnRecipient]
    campaign: str
    step: str
    due_at: datetime
    expires_at: datetime | None = None
    template: OwnTemplateRef

    def to_json(self) -> bytes:
        """The record's value, as it goes on the wire."""
        return dumps(self)
