"""What holds a campaign's messages back: quiet hours, caps, budget, consent, lateness."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from todoke_shared.campaigns.parts import Duration, LocalTime, Part
from todoke_shared.contracts.requests import Lane

Consent = Literal["marketing", "required", "none"]
"""`marketing`: not to who said no. `required`: only to who said yes. `none`: nobody is asked."""


class QuietHours(Part):
    """No message from `start` until just before `end`, local; over midnight where `end` is the earlier."""

    start: LocalTime = Field(alias="from")
    end: LocalTime = Field(alias="to")

    @field_validator("end")
    @classmethod
    def _some_hours(cls, end: time, info: Any) -> time:
        if info.data.get("start") == end:
            raise ValueError("quiet hours end when they begin; give two times, or write `quiet_hours: none`")
        return end

    def show(self, at: time) -> bool:
        """Whether clocks that show this local time show quiet hours."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


class Cap(Part):
    """At most `messages` to one person within any such period."""

    messages: int = Field(ge=1, le=1000)
    within: Duration

    @field_validator("within")
    @classmethod
    def _some_time(cls, within: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= within <= timedelta(days=366):
            raise ValueError("a cap counts over 1m to 366d")
        return within


class Budget(Part):
    """At most so many `messages`, or so many `yen`, in a month of LINE's (Asia/Tokyo); with both, whichever is less."""

    messages: int | None = Field(default=None, ge=1, le=1_000_000_000)
    yen: int | None = Field(default=None, ge=1, le=1_000_000_000)

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.messages is None and self.yen is None:
            raise ValueError("a budget has `messages`, `yen`, or both; for example {messages: 5000}")
        return self

    def messages_at(self, price: Decimal | None) -> int:
        """How many messages it allows at a price of so many yen each. Of yen and no price, none: nobody can tell."""
        allowed = [] if self.messages is None else [self.messages]
        if self.yen is not None:
            allowed.append(0 if price is None else int(self.yen / price))
        return min(allowed)


class Late(Part):
    """What becomes of a step that is more than `after` late: done, spread over time, or left out."""

    after: Duration = timedelta(hours=1)
    then: Literal["send", "skip"] = "send"


def _none_is_none(value: Any) -> Any:
    return None if value == "none" else value


NoneOr = BeforeValidator(_none_is_none)
"""The word `none` for nothing of it."""

QuietHoursOrNone = Annotated[QuietHours | None, NoneOr]


def consent_of(lane: Lane | None) -> Consent:
    """What consent a class needs where the campaign does not say."""
    return "marketing" if lane == "marketing" else "none"
