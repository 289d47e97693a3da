"""`customer.triggers.v1`: what just became true of a person, for a campaign."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from pydantic import Field

from todoke_shared.contracts.envelope import Contract, Instant, Name

TriggerKind = Literal["enter", "exit", "goal"]
LONGEST_KEY = 255


class Cause(Contract):
    """The event that made a trigger: its type and its identity in the inbox."""

    type: str
    key: UUID


class Trigger(Contract):
    """Start or end a campaign for a person. `at` is when the cause happened, not when we learnt of it.

    `key` tells apart runs that may go on side by side (an order id, say); it is "" where the campaign runs per person.
    `context` is what the cause carries for the message: the order, the cart.
    """

    schema_version: Literal[1] = 1
    id: UUID
    kind: TriggerKind
    shop: Name = "main"
    campaign: Name
    person: UUID
    key: str = Field(default="", max_length=LONGEST_KEY)
    at: Instant
    cause: Cause | None = None
    context: dict[str, Any] = Field(default_factory=dict)


class MadeCause(msgspec.Struct, frozen=True):
    """A `Cause`, likewise."""

    type: str
    key: UUID


class MadeTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A `Trigger` by whoever makes it, of parts that were held to the rules when they came in.

    Not judged again, it is made and written in a sixth of the time; a test holds that `Trigger` reads the same of it.
    """

    schema_version: Literal[1] = 1
    id: UUID
    kind: TriggerKind
    shop: str
    campaign: str
    person: UUID
    key: str
    at: datetime
    cause: MadeCause
    context: dict[str, Any]

    def to_json(self) -> bytes:
        """The record's value."""
        return _ENCODER.encode(self)


_ENCODER = msgspec.json.Encoder()
