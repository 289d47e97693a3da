"""What a run can wait for: a length of time, a time of day, a weekday, a day of the run, a date."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, WithJsonSchema, model_serializer, model_validator

from todoke_shared.campaigns.parts import MOST_DAYS, AnyDate, Duration, LocalTime, OffsetDays, Part
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
"""By Python's numbers: Monday is 0."""
UNKNOWN_WAIT = "unknown_wait"
"""pydantic's type of the complaint."""


def weekday_mistake(word: str, known: tuple[str, ...] = WEEKDAYS) -> str:
    """What is said of a word that is none of these days."""
    return f"unknown day `{word}`; use one of {', '.join(known)}" + did_you_mean(nearest(word, known, cutoff=0.5))


class UntilTime(Part):
    """Until it is this time of day next."""

    time: LocalTime = Field(alias="until")


class UntilWeekday(Part):
    """Until it is next this weekday (Monday is 0) at this time."""

    weekday: int = Field(ge=0, le=6)
    time: LocalTime = Field(alias="until")

    @model_validator(mode="before")
    @classmethod
    def _two_words(cls, value: Any) -> Any:
        until = value.get("until") if isinstance(value, dict) else None
        if not isinstance(until, str) or "weekday" in value:
            return value
        word, _, at = until.strip().partition(" ")
        if word not in WEEKDAYS:
            raise ValueError(weekday_mistake(word))
        return {**value, "weekday": WEEKDAYS.index(word), "until": at.strip()}

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {"until": f"{WEEKDAYS[self.weekday]} {self.time.isoformat('minutes')}"}


class OnDay(Part):
    """Until this time of the day that is `days` after the local day on which the run started."""

    days: int = Field(ge=0, le=MOST_DAYS)
    at: LocalTime


class OnDate(Part):
    """Until this time of the day that is `offset_days` after a date: of the person, or in the event's data.

    Without `at`, an instant in the event is kept to the minute; a plain date is its midnight.
    """

    date: AnyDate
    offset_days: OffsetDays = Field(default=0, alias="offset", exclude_if=lambda days: days == 0)
    at: LocalTime | None = None


def _kind(value: Any) -> str:
    match value:
        case UntilTime() | UntilWeekday() | OnDay() | OnDate():
            return f"<{type(value).__name__}>"
        case {"until": until}:
            # "20:00" begins with a digit; what begins with a letter is meant to be a day.
            return "<UntilWeekday>" if isinstance(until, str) and until.strip()[:1].isalpha() else "<UntilTime>"
        case {"days": _}:
            return "<OnDay>"
        case {"date": _}:
            return "<OnDate>"
        case dict():
            return "unknown"
    return "<duration>"


_UNTIL_WEEKDAY = {
    "type": "object",
    "properties": {"until": {"type": "string", "pattern": f"^({'|'.join(WEEKDAYS)}) +([01]?[0-9]|2[0-3]):[0-5][0-9]$"}},
    "required": ["until"],
    "additionalProperties": False,
}

WaitFor = Annotated[
    Annotated[Duration, Tag("<duration>")]
    | Annotated[UntilTime, Tag("<UntilTime>")]
    | Annotated[UntilWeekday, WithJsonSchema(_UNTIL_WEEKDAY), Tag("<UntilWeekday>")]
    | Annotated[OnDay, Tag("<OnDay>")]
    | Annotated[OnDate, Tag("<OnDate>")],
    Discriminator(
        _kind,
        custom_error_type=UNKNOWN_WAIT,
        custom_error_message=(
            'a wait is a duration (`1h`), `{until: "20:00"}`, `{until: friday 12:00}`, '
            '`{days: 3, at: "20:00"}` or `{date: event.reserved_at, offset: -2d, at: "18:00"}`'
        ),
    ),
]
