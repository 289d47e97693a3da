"""When a schedule brings people into a campaign: once, or again and again."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from todoke_shared.campaigns.parts import LocalDateTime, LocalTime, Part
from todoke_shared.campaigns.waits import WEEKDAYS, Weekday, weekday_mistake


class Once(Part):
    """At one local time."""

    at: LocalDateTime


Every_ = Literal["day", Weekday, "month"]
_EVERY = ("day", *WEEKDAYS, "month")


class Every(Part):
    """Each day, weekday or month at a local time. `on`: the day of the month; one that a month lacks is its last."""

    every: Every_
    at: LocalTime
    on: Annotated[int, Field(ge=1, le=31)] | Literal["last"] | None = Field(default=None, validate_default=True)

    @field_validator("every", mode="before")
    @classmethod
    def _known_day(cls, every: Any) -> Any:
        if every not in _EVERY:
            raise ValueError(weekday_mistake(str(every), _EVERY))
        return every

    @field_validator("on", mode="before")
    @classmethod
    def _only_of_months(cls, on: Any, info: ValidationInfo) -> Any:
        if "every" in info.data and (info.data["every"] == "month") != (on is not None):
            raise ValueError("`every: month` and `on`, a day of it (1 to 31, or last), go together")
        if on is not None and on != "last" and (type(on) is not int or not 1 <= on <= 31):
            raise ValueError("a day of the month is 1 to 31, or `last`")
        return on

    @property
    def weekday(self) -> int | None:
        """Monday is 0; None for each day and for months."""
        return WEEKDAYS.index(self.every) if self.every in WEEKDAYS else None


def _schedule_kind(value: Any) -> str:
    repeats = isinstance(value, Every) or (isinstance(value, dict) and not {"every", "on"}.isdisjoint(value))
    return "<Every>" if repeats else "<Once>"


Schedule = Annotated[Annotated[Once, Tag("<Once>")] | Annotated[Every, Tag("<Every>")], Discriminator(_schedule_kind)]
