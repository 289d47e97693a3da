"""The campaign language as values. `campaigns.source` reads it from YAML; a published version is this as JSON."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from todoke_shared.campaigns.durations import format_duration, parse_duration
from todoke_shared.conditions import Condition, parse_condition
from todoke_shared.contracts.ec_events import CART_CHANGES, EVENT_TYPES, HISTORY_TYPES
from todoke_shared.contracts.envelope import Name
from todoke_shared.contracts.requests import Lane

SEGMENT_EVENTS = frozenset({"segment.entered", "segment.left"})
"""No records of a topic: the segmenter itself sees them happen, by an event or by the clock."""
LINE_EVENTS = frozenset({"line.follow", "line.unfollow", "line.message", "line.postback", "line.accountLink"})
GROUPS = {"cart.changed": CART_CHANGES}
"""One word for several event types."""

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str, when_used="always")
]
Per = Literal["person", "order", "cart", "event"]
Again = Literal["never", "always", "restart"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EventRule(_Part):
    """When one of the events `on` comes and `when` holds of the person just after it.

    `segment`: which one is entered or left, where `on` names such an event.
    """

    on: tuple[str, ...] = Field(min_length=1)
    segment: Name | None = Field(default=None, validate_default=True)
    when: dict[str, Any] | None = None

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("on")
    @classmethod
    def _known_events(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name in HISTORY_TYPES:
                raise ValueError(f"`{name}` is history: it starts and ends no campaign; line.follow is the news")
            known = EVENT_TYPES | LINE_EVENTS | SEGMENT_EVENTS | GROUPS.keys()
            if name not in known and not name.startswith("custom."):
                raise ValueError(f"unknown event `{name}`; see docs/events.md for the vocabulary, or use custom.*")
        return names

    @field_validator("segment")
    @classmethod
    def _needed_where_segments_change(cls, segment: str | None, info: ValidationInfo) -> str | None:
        named = SEGMENT_EVENTS & set(info.data.get("on", ()))
        if named and segment is None:
            raise ValueError(f"`{min(named)}` needs to know which: add `segment: its-name`")
        if segment is not None and "on" in info.data and not named:
            raise ValueError(
                "only `segment.entered` and `segment.left` ask for a segment; leave it out, or change `on`"
            )
        return segment

    @field_validator("when")
    @classmethod
    def _readable(cls, when: dict[str, Any] | None) -> dict[str, Any] | None:
        if when is not None:
            parse_condition(when)  # which segments there are is known to whoever publishes it
        return when

    @property
    def event_types(self) -> frozenset[str]:
        """The event types meant, groups spelt out."""
        return frozenset().union(*(GROUPS.get(name, {name}) for name in self.on))

    @property
    def condition(self) -> Condition | None:
        """`when`, parsed."""
        return None if self.when is None else parse_condition(self.when)


class Enter(EventRule):
    """How a person comes in. `per` tells apart runs that may go on side by side; `again` what a second entry does."""

    per: Per = "person"
    again: Again = "never"

    @field_validator("per")
    @classmethod
    def _a_person_enters_segments(cls, per: Per, info: ValidationInfo) -> Per:
        if info.data.get("segment") is not None and per in ("order", "cart"):
            raise ValueError("a segment is entered by a person and not by an order or a cart; use person, or event")
        return per


class Wait(_Part):
    """Let time pass: counted from when the step before was due, so that lateness does not add up."""

    wait: Duration


class Send(_Part):
    """Owe the person one of the campaign's messages."""

    send: str


def _step_kind(value: Any) -> str:
    if isinstance(value, _Part):
        return type(value).__name__.lower()
    known = [kind for kind in ("wait", "send") if isinstance(value, dict) and kind in value]
    return known[0] if len(known) == 1 else "unknown"


Step = Annotated[Annotated[Wait, Tag("wait")] | Annotated[Send, Tag("send")], Discriminator(_step_kind)]


def _for_line(objects: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    if not 1 <= len(objects) <= 5:  # LINE-API.md: sending
        raise ValueError(f"this message has {len(objects)} message objects; LINE takes 1 to 5")
    return objects


Message = Annotated[tuple[dict[str, Any], ...], AfterValidator(_for_line)]
"""LINE's own message objects; their strings are templates."""


def _missing_messages(value: Any) -> list[InitErrorDetails]:
    steps, messages = (value.get("steps"), value.get("messages")) if isinstance(value, dict) else (None, None)
    if not isinstance(steps, list | tuple) or not isinstance(messages, dict):
        return []
    names = [(index, step.get("send")) for index, step in enumerate(steps) if isinstance(step, dict)]
    return [
        {
            "type": PydanticCustomError(
                "missing_message", "no message has this name; add it under `messages`, or send one of those there"
            ),
            "loc": ("steps", index, "send"),
            "input": name,
        }
        for index, name in names
        if isinstance(name, str) and name not in messages
    ]


class Campaign(_Part):
    """One conversation of the shop with each customer it concerns."""

    campaign: Name
    name: str = ""
    lane: Lane = Field(alias="class")
    account: Name = "main"
    enter: Enter
    exit: tuple[EventRule, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=100)
    expires: Duration | None = None
    messages: dict[str, Message]

    @field_validator("exit", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @model_validator(mode="wrap")
    @classmethod
    def _every_message_is_there(cls, value: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        # Looked at beside the fields and not after them, so that an author hears of every mistake at once.
        missing = _missing_messages(value)
        try:
            campaign = read(value)
        except ValidationError as error:
            found = [cast(InitErrorDetails, complaint) for complaint in error.errors()]
            raise ValidationError.from_exception_data(cls.__name__, [*found, *missing]) from None
        if missing:
            raise ValidationError.from_exception_data(cls.__name__, missing)
        return campaign

    def to_document(self) -> dict[str, Any]:
        """The campaign as JSON values, as it is published."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
