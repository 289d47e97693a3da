"""CloudEvents 1.0, the envelope of every shop event (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

import operator
import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from todoke_shared.contracts.json_values import MAX_DEPTH, check_json, field_path
from todoke_shared.errors import BadMessageError
from todoke_shared.ids import event_key

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""The name of a shop, an account or a campaign: it stands in ids, topics' keys and URLs."""


def is_plausible(instant: datetime) -> bool:
    """Whether it may be somebody's present: beyond it, adding a campaign's waits would leave datetime's range."""
    return 2000 <= instant.year < 2200


def _plausible(instant: datetime) -> datetime:
    if not is_plausible(instant):
        raise ValueError("must lie between the years 2000 and 2199; check the clock of the producer")
    return instant


Instant = Annotated[AwareDatetime, AfterValidator(_plausible)]
"""A moment, with its offset from UTC."""

NonEmpty = Annotated[str, StringConstraints(min_length=1, max_length=512)]


_SHAPE = bytes(ord("0") if chr(byte).isdigit() else ord("E") if byte in b"eE" else byte for byte in range(128)) + bytes(
    range(128, 256)
)
"""Every digit a 0, so that a number's length is a plain search: five times as fast as a regular expression."""

_LONG_EXPONENT = re.compile(rb"(?:^|[:\[,\s])-?\d[\d.]*[eE]\+?\d{3}")
"""A number with an exponent of three digits. The plain search for one finds every other UUID too: `…2e104…`."""


MAX_EVENT_BYTES = 256 * 1024
"""A cart of 500 items fits many times; and the trigger and the request that repeat an event fit Kafka's limit."""


class Contract(BaseModel):
    """A record that crosses a topic: immutable; fields we do not know are carried, never fatal."""

    model_config = ConfigDict(frozen=True, extra="allow")

    largest: ClassVar[int] = 900_000
    """Bytes of a record's value; Kafka takes a million, headers and all."""
    deepest: ClassVar[int] = MAX_DEPTH
    """Levels of a record's value."""

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Parse a record's value. BadMessageError names the field and the reason."""
        if not value:
            raise BadMessageError("the record has no value", gibberish=True)
        if len(value) > cls.largest:
            raise BadMessageError(f"is larger than {cls.largest // 1024} KiB; send a link to what is large")
        try:
            record = cls.model_validate_json(value)
        except ValidationError as error:
            raise bad_message(error) from None
        if is_suspect(value):
            check_json(record.model_dump(), cls.deepest)
        return record

    def to_json(self) -> bytes:
        """The record's value, as it goes on the wire: UTF-8 JSON without unset fields."""
        return self.model_dump_json(exclude_none=True).encode()


def is_suspect(value: bytes) -> bool:
    """Whether JSON on the wire may hold what `check_json` refuses. False is sure; True asks for a closer look."""
    return (
        is_suspect_if_strict(value)
        or b"NaN" in value
        or b"Infinity" in value
        or (b"0E000" in value.translate(_SHAPE, b"+") and _LONG_EXPONENT.search(value) is not None)
    )


def is_suspect_if_strict(value: bytes) -> bool:
    """The same for a reader that itself refuses NaN, Infinity and a number beyond every float, as msgspec does."""
    return (
        value.count(b"{") + value.count(b"[") > MAX_DEPTH
        or b"\\u0000" in value
        or b"0000000000000000000" in value.translate(_SHAPE)  # 19 digits
    )


def bad_message(error: ValidationError) -> BadMessageError:
    """The first of pydantic's complaints, in words that do not repeat the input (it may hold personal data)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # What pydantic says of a UUID quotes the character that is wrong.
    words = "must be a UUID" if first["type"] == "uuid_parsing" else first["msg"].removeprefix("Value error, ")
    return BadMessageError(words, field=field_path(first["loc"]), gibberish=first["type"] == "json_invalid")


class CloudEvent(Contract):
    """A shop event. `subject` names the person as the producer knows them; `shop` and `history` are our extensions.

    `history`: told long after it happened (an import): state learns of it, and no campaign starts or ends by it
    (docs/adr/0015). Nearly no event is, so it is left off the wire when it is false.
    """

    largest: ClassVar[int] = MAX_EVENT_BYTES

    specversion: Literal["1.0"]
    id: NonEmpty
    source: NonEmpty
    type: NonEmpty
    time: Instant
    subject: NonEmpty | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    shop: Name = "main"
    history: bool = Field(default=False, exclude_if=operator.not_)
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> UUID:
        """Its identity in every inbox."""
        return event_key(self.shop, self.source, self.id)
