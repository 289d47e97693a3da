"""`customer.triggers.v1`: what just became true of a person, for a campaign."""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field, model_validator

from todoke_shared.contracts.envelope import Contract, Instant, Name
from todoke_shared.contracts.json_values import CARRIED_DEPTH
from todoke_shared.contracts.rules import exactly_one

TriggerKind = Literal["enter", "exit", "goal", "answer", "refused"]
LONGEST_KEY = 255


class Cause(Contract):
    """The event that made a trigger: its type and its identity in the inbox."""

    type: str
    key: UUID


class TriggerRecord(Contract):
    """Start or end a campaign for a person. `at` is when the cause happened, not when we learnt of it.

    `person`: as records of ours name them; or `subject`, a name that the shop's events have used for somebody
    (`customer:42`). `key` tells apart runs that may go on side by side (an order id, say); it is "" where the campaign
    runs per person. `context` is what the cause carries for the message: the order, the cart; of a goal {"goal": its
    place in the campaign's list, "event": …}; of an answer {"question": …, "answer": …}. `refused` starts nothing: it
    tells the decision log of a call that the campaign's `when` was against.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one("person", "subject"))
    deepest: ClassVar[int] = CARRIED_DEPTH

    schema_version: Literal[1] = 1
    id: UUID
    kind: TriggerKind
    shop: Name = "main"
    campaign: Name
    person: UUID | None = None
    subject: str | None = Field(default=None, min_length=1, max_length=512)
    key: str = Field(default="", max_length=LONGEST_KEY)
    at: Instant
    cause: Cause | None = None
    context: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.person is None) == (self.subject is None):
            raise ValueError("give either person or subject")
        return self


class Trigger(TriggerRecord):
    """A trigger about somebody who is known."""

    person: UUID


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
