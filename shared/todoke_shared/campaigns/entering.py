"""How people come into a campaign, and what ends or crowns it: events, dates, schedules, calls."""

import operator
import unicodedata
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from todoke_shared.campaigns.parts import Duration, LocalTime, OffsetDays, Part, PersonDate, one_or_many
from todoke_shared.campaigns.schedules import Every, Once, Schedule
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions import Condition, parse_condition
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS, CART_CHANGES, EVENT_TYPES, HISTORY_TYPES
from todoke_shared.contracts.envelope import Name

__all__ = [
    "CALL",
    "GOAL_WITHIN",
    "GROUPS",
    "KNOWN_EVENTS",
    "LINE_EVENTS",
    "SEGMENT_EVENTS",
    "Again",
    "AgainAfter",
    "AgainWord",
    "Enter",
    "EnterKind",
    "EventRule",
    "Every",
    "Goal",
    "Once",
    "Per",
    "PerField",
    "PerWord",
    "Schedule",
    "as_said",
]

SEGMENT_EVENTS = frozenset({"segment.entered", "segment.left"})
"""No records of a topic: the segmenter itself sees them happen, by an event or by the clock."""
LINE_EVENTS = frozenset({"line.follow", "line.unfollow", "line.message", "line.postback", "line.accountLink"})
GROUPS = {"cart.changed": CART_CHANGES}
"""One word for several event types."""
CALL = "call"
"""Stands where an event's type does: only other systems start the campaign."""
KNOWN_EVENTS = EVENT_TYPES - HISTORY_TYPES - CAMPAIGN_REQUESTS | LINE_EVENTS | SEGMENT_EVENTS | GROUPS.keys()

EnterKind = Literal["event", "date", "schedule", "call"]
GOAL_WITHIN = timedelta(days=30)
"""A month: the longest after which a shop would still thank the message for the order."""


class EventRule(Part):
    """When one of the events `on` comes and `when` holds of the person just after it.

    `segment`: which one is entered or left, where `on` names such an event.
    """

    on: tuple[str, ...] = Field(min_length=1)
    segment: Name | None = Field(default=None, validate_default=True)
    when: dict[str, Any] | None = None

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return one_or_many(value)

    @field_validator("on")
    @classmethod
    def _known_events(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name in HISTORY_TYPES:
                raise ValueError(f"`{name}` is history: it starts and ends no campaign; line.follow is the news")
            if name == CALL and cls is Enter and len(names) == 1:
                continue
            if name == CALL:
                raise ValueError("`call` stands alone under `enter`: a campaign that only other systems start")
            if name not in KNOWN_EVENTS and not name.startswith("custom."):
                raise ValueError(
                    f"unknown event `{name}`; see docs/events.md for the vocabulary, or use custom.*"
                    + did_you_mean(nearest(name, KNOWN_EVENTS, cutoff=0.75))
                )
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
        return frozenset().union(*(GROUPS.get(name, {name}) for name in self.on if name != CALL))

    @property
    def condition(self) -> Condition | None:
        """`when`, parsed."""
        return None if self.when is None else parse_condition(self.when)


class Goal(EventRule):
    """What the campaign is for: counted when it comes within `within` of a run's start; ends the run if `ends`."""

    within: Duration = GOAL_WITHIN
    ends: bool = True


class PerField(Part):
    """A run for each value of this field of the event's data, by its path."""

    field: str = Field(min_length=1, max_length=255)


class AgainAfter(Part):
    """An entry within `after` of the last one is refused."""

    after: Duration


PerWord = Literal["person", "order", "cart", "event"]
AgainWord = Literal["never", "always", "restart"]
_PER = ("person", "order", "cart", "event")
_AGAIN = ("never", "always", "restart")


def _word_or(name: str, part: type[Part]) -> Discriminator:
    def kind(value: Any) -> str:
        return f"<{name}>" if isinstance(value, dict | part) else "<word>"

    return Discriminator(kind)


Per = Annotated[
    Annotated[PerWord, Tag("<word>")] | Annotated[PerField, Tag("<PerField>")], _word_or("PerField", PerField)
]
Again = Annotated[
    Annotated[AgainWord, Tag("<word>")] | Annotated[AgainAfter, Tag("<AgainAfter>")], _word_or("AgainAfter", AgainAfter)
]


def as_said(text: str) -> str:
    """A text as keywords are compared: NFKC, no case, nothing around it."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _again_of(data: dict[str, Any]) -> AgainWord:
    # A birthday comes every year, and so does every Friday: who says so wants them all.
    return "always" if data.get("date") or data.get("schedule") else "never"


class Enter(EventRule):
    """How a person comes in: by an event, a date, a schedule or another system's call.

    `per` tells apart runs that may go on side by side; `again` what a second entry does. `rate`: people a second.
    """

    on: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    keyword: tuple[str, ...] = Field(default=(), exclude_if=operator.not_, max_length=100)
    postback: str | None = Field(default=None, min_length=1, max_length=300)
    date: PersonDate | None = None
    offset_days: OffsetDays | None = Field(default=None, alias="offset")
    at: LocalTime | None = Field(default=None, validate_default=True)
    schedule: Schedule | None = None
    rate: int | None = Field(default=None, ge=1, le=100_000)
    per: Per = "person"
    again: Again = Field(default_factory=_again_of)

    @field_validator("keyword", mode="before")
    @classmethod
    def _one_or_many_words(cls, value: Any) -> Any:
        return one_or_many(value)

    @field_validator("keyword")
    @classmethod
    def _words_of_messages(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _only_with("keyword", "line.message", info)
        if not words:
            raise ValueError("write at least one keyword; without this key any message brings its writer in")
        if not all(map(as_said, words)):
            raise ValueError("a keyword is a text of at least one character")
        return words

    @field_validator("postback")
    @classmethod
    def _data_of_buttons(cls, data: str | None, info: ValidationInfo) -> str | None:
        _only_with("postback", "line.postback", info)
        return data

    @field_validator("offset_days")
    @classmethod
    def _offset_of_a_date(cls, offset: int | None, info: ValidationInfo) -> int | None:
        if offset is not None and "date" in info.data and info.data["date"] is None:
            raise ValueError("`offset` counts from a date; add `date: birthday`, or leave it out")
        return offset

    @field_validator("at")
    @classmethod
    def _at_goes_with_a_date(cls, at: Any, info: ValidationInfo) -> Any:
        if "date" in info.data and (info.data["date"] is None) != (at is None):
            raise ValueError(
                'on that date, at what time? Add `at: "10:00"`'
                if at is None
                else "`at` goes with `date`; the time of a schedule stands within `schedule: {…}`"
            )
        return at

    @field_validator("rate")
    @classmethod
    def _rate_of_a_schedule(cls, rate: int | None, info: ValidationInfo) -> int | None:
        if rate is not None and "schedule" in info.data and info.data["schedule"] is None:
            raise ValueError("`rate` is for a `schedule`, where many come in at once; leave it out")
        return rate

    @field_validator("per", mode="before")
    @classmethod
    def _known_per(cls, per: Any) -> Any:
        if not isinstance(per, dict | PerField) and per not in _PER:
            hint = did_you_mean(nearest(str(per), _PER))
            raise ValueError(f"use one of {', '.join(_PER)} or `{{field: name}}`{hint}")
        return per

    @field_validator("per")
    @classmethod
    def _fits_the_entry(cls, per: PerWord | PerField, info: ValidationInfo) -> PerWord | PerField:
        if info.data.get("segment") is not None and per not in ("person", "event"):
            raise ValueError("a segment is entered by a person and not by an order or a cart; use person, or event")
        if per != "person" and (info.data.get("date") or info.data.get("schedule")):
            raise ValueError("a date or a schedule brings persons in, with no event behind them; use `per: person`")
        return per

    @field_validator("again", mode="before")
    @classmethod
    def _known_again(cls, again: Any) -> Any:
        if not isinstance(again, dict | AgainAfter) and again not in _AGAIN:
            hint = did_you_mean(nearest(str(again), _AGAIN))
            raise ValueError(f"use one of {', '.join(_AGAIN)} or `{{after: 30d}}`{hint}")
        return again

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [way for way, told in (("on", self.on), ("date", self.date), ("schedule", self.schedule)) if told]
        if len(ways) != 1:
            told = f"{' and '.join(ways)} stand here; leave one" if ways else "none stands here"
            raise ValueError(f"people come in by exactly one of `on`, `date`, `schedule`: {told}")
        return self

    @property
    def kind(self) -> EnterKind:
        """By what people come in."""
        if self.date is not None:
            return "date"
        if self.schedule is not None:
            return "schedule"
        return "call" if self.on == (CALL,) else "event"

    def hears(self, text: str) -> bool:
        """Whether a message with this text brings its writer in, as far as `keyword` goes."""
        return not self.keyword or as_said(text) in map(as_said, self.keyword)


def _only_with(key: str, event: str, info: ValidationInfo) -> None:
    if "on" in info.data and info.data["on"] != (event,):
        raise ValueError(f"`{key}` is read of `{event}` alone; write `on: {event}`, or leave it out")
