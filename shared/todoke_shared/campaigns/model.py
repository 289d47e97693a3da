"""The campaign language as values. `campaigns.source` reads it from YAML; a published version is this as JSON.

How people come in is in `entering`, what happens then in `steps` and `waits`, what holds messages back in `limits`.
"""

import operator
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from todoke_shared.campaigns.entering import (
    GROUPS,
    LINE_EVENTS,
    SEGMENT_EVENTS,
    Again,
    AgainAfter,
    Enter,
    EventRule,
    Every,
    Goal,
    Once,
    Per,
    PerField,
    Schedule,
)
from todoke_shared.campaigns.limits import (
    Budget,
    Cap,
    Consent,
    Late,
    QuietHours,
    QuietHoursOrNone,
    consent_of,
)
from todoke_shared.campaigns.links import Links, LinksOrWord
from todoke_shared.campaigns.links import Per as LinksPer
from todoke_shared.campaigns.parts import Duration, LocalDateTime, Part, Zone
from todoke_shared.campaigns.steps import (
    DEEPEST,
    MOST_STEPS,
    Ask,
    Coupon,
    Emit,
    If,
    RichMenu,
    Send,
    Set,
    Split,
    Step,
    Stop,
    Tag,
    Wait,
    walk,
)
from todoke_shared.campaigns.waits import UNKNOWN_WAIT, OnDate, OnDay, UntilTime, UntilWeekday
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.contracts.envelope import Name
from todoke_shared.contracts.requests import Lane

__all__ = [
    "GROUPS",
    "LINE_EVENTS",
    "SEGMENT_EVENTS",
    "Again",
    "AgainAfter",
    "Ask",
    "Budget",
    "Campaign",
    "Cap",
    "Coupon",
    "Emit",
    "Enter",
    "EventRule",
    "Every",
    "Goal",
    "If",
    "Late",
    "OnDate",
    "OnDay",
    "Once",
    "Per",
    "PerField",
    "QuietHours",
    "RichMenu",
    "Schedule",
    "Send",
    "Set",
    "Split",
    "Step",
    "Stop",
    "Tag",
    "UntilTime",
    "UntilWeekday",
    "Wait",
    "walk",
]

TOKYO = "Asia/Tokyo"


def _for_line(objects: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    if not 1 <= len(objects) <= 5:  # LINE-API.md: sending
        raise ValueError(f"this message has {len(objects)} message objects; LINE takes 1 to 5")
    return objects


Message = Annotated[tuple[dict[str, Any], ...], AfterValidator(_for_line)]
"""LINE's own message objects; their strings are templates."""


class Campaign(Part):
    """One conversation of the shop with each customer it concerns."""

    campaign: Name
    name: str = ""
    lane: Lane = Field(alias="class")
    account: Name = "main"
    zone: Zone = Field(default=TOKYO, exclude_if=lambda zone: zone == TOKYO)
    starts: LocalDateTime | None = None
    ends: LocalDateTime | None = None
    enter: Enter
    exit: tuple[EventRule, ...] = ()
    goal: tuple[Goal, ...] = Field(default=(), exclude_if=operator.not_)
    holdout: int = Field(default=0, ge=0, le=50, exclude_if=operator.not_)
    quiet_hours: QuietHoursOrNone = None
    caps: tuple[Cap, ...] = Field(default=(), max_length=10, exclude_if=operator.not_)
    budget: Budget | None = None
    consent: Consent = Field(default_factory=lambda told: consent_of(told.get("lane")))
    expires: Duration | None = None
    late: Late = Field(default=Late(), exclude_if=lambda late: late == Late())
    links: LinksOrWord = Field(default=Links(), exclude_if=lambda links: links == Links())
    running: Literal["finish", "move"] = Field(default="finish", exclude_if=lambda running: running == "finish")
    steps: tuple[Step, ...] = Field(min_length=1)
    messages: dict[str, Message] = Field(default_factory=dict)

    @field_validator("exit", "goal", "caps", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @field_validator("ends")
    @classmethod
    def _after_it_starts(cls, ends: Any, info: ValidationInfo) -> Any:
        starts = info.data.get("starts")
        if ends is not None and starts is not None and ends <= starts:
            raise ValueError(f"it would end before it starts ({starts:%Y-%m-%d %H:%M}); write a later time")
        return ends

    @field_validator("holdout", mode="before")
    @classmethod
    def _half_at_most(cls, holdout: Any) -> Any:
        if type(holdout) is not int or not 0 <= holdout <= 50:
            raise ValueError("write a whole number of percent, 0 to 50, for example 10")
        return holdout

    @field_validator("steps")
    @classmethod
    def _surveyable(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        places = [place for place, _ in walk(steps)]
        if len(places) > MOST_STEPS:
            raise ValueError(f"here are {len(places)} steps, nested ones included; a campaign has at most {MOST_STEPS}")
        if max((len(place) // 2 for place in places), default=0) > DEEPEST:
            raise ValueError(f"steps may be nested {DEEPEST} deep; tell an event (`emit`) that starts another campaign")
        return steps

    @model_validator(mode="wrap")
    @classmethod
    def _every_message_is_there(cls, value: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        # Looked at beside the fields and not after them, so that an author hears of every mistake at once.
        missing = _missing_messages(value)
        try:
            campaign = read(value)
        except ValidationError as error:
            found = [_as_details(complaint) for complaint in error.errors() if _is_mistake(complaint)]
            raise ValidationError.from_exception_data(cls.__name__, [*found, *missing]) from None
        if missing:
            raise ValidationError.from_exception_data(cls.__name__, missing)
        return campaign

    @cached_property
    def tz(self) -> ZoneInfo:
        """The zone of all its local times."""
        return ZoneInfo(self.zone)

    @property
    def links_per(self) -> LinksPer:
        """Whose clicks are counted. What leaves on a schedule leaves as multicasts unless its author says otherwise."""
        return self.links.per or ("message" if self.enter.kind == "schedule" else "person")

    def quiet_hours_in(self, shop: QuietHours | None) -> QuietHours | None:
        """What it keeps quiet: its own hours; where it says nothing of them, marketing keeps those of its shop."""
        if "quiet_hours" in self.model_fields_set:
            return self.quiet_hours
        return shop if self.lane == "marketing" else None

    def to_document(self) -> dict[str, Any]:
        """The campaign as JSON values, as it is published.

        What the class says by itself is left out: a campaign that says nothing new is the document that it always was,
        and so the same version.
        """
        document = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if "consent" not in self.model_fields_set:
            document.pop("consent", None)
        if "quiet_hours" in self.model_fields_set and self.quiet_hours is None:
            document["quiet_hours"] = "none"
        return document


def _is_mistake(complaint: Any) -> bool:
    # pydantic says that it could not find a default because of another mistake: that one is told.
    return bool(complaint["type"] != "default_factory_not_called")


def _as_details(complaint: Any) -> InitErrorDetails:
    if complaint["type"] == UNKNOWN_WAIT:  # one of our own, which pydantic makes but does not take back
        return {"type": PydanticCustomError(UNKNOWN_WAIT, complaint["msg"]), "loc": complaint["loc"], "input": None}
    return cast(InitErrorDetails, complaint)


def _missing_messages(value: Any) -> list[InitErrorDetails]:
    if not isinstance(value, dict):
        return []
    messages = value.get("messages", {})
    if not isinstance(messages, dict):
        return []
    return [
        {
            "type": PydanticCustomError(
                "missing_message",
                "no message has this name; add it under `messages`, or send one of those there{hint}",
                {"hint": did_you_mean(nearest(name, [one for one in messages if isinstance(one, str)]))},
            ),
            "loc": place,
            "input": name,
        }
        for place, name in _named_messages(value.get("steps"), ("steps",))
        if name not in messages
    ]


def _named_messages(steps: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What `send` and `ask` name, in documents that may be wrong everywhere else."""
    if len(place) > 2 * DEEPEST + 1:
        return
    for index, step in enumerate(steps) if isinstance(steps, list | tuple) else ():
        if not isinstance(step, dict):
            continue
        here = (*place, index)
        for key, part in step.items():
            if isinstance(part, str) and (key == "send" or (key == "message" and "ask" in step)):
                yield (*here, key), part
            elif isinstance(part, list | tuple):
                yield from _named_messages(part, (*here, str(key)))
