"""What the parts of a campaign have in common, and the small values in them: times, dates, offsets, zones."""

import re
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from todoke_shared.campaigns.durations import format_duration, parse_duration
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.attributes import DATE_PREFIX, EVENT_PREFIX, Kind, find
from todoke_shared.conditions.errors import did_you_mean

MOST_DAYS = 3650
"""Ten years: further ahead or back nobody plans a message, and every instant stays one that Python can write."""

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d{1,4})\s*d", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2})", re.ASCII)
_DATE_KINDS: tuple[Kind, ...] = ("birthday", "date")


class Part(BaseModel):
    """A mapping of the language: frozen, and a key that nobody reads is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _parse_time(value: object) -> time:
    match value if isinstance(value, time) else _TIME.fullmatch(value) if isinstance(value, str) else None:
        case time() as told:
            return told
        case re.Match() as found:
            return time(int(found[1]), int(found[2]))
    raise ValueError('write a time of day as hours and minutes in quotes, for example "09:00" or "20:30"')


def _parse_local(value: object) -> datetime:
    remedy = "write a local date and time, for example 2026-12-24 10:00; it is of the campaign's `zone`"
    match value:
        case datetime(tzinfo=None, second=0, microsecond=0):
            local = value
        case str():
            found = _LOCAL.fullmatch(value.strip())
            if found is None:
                raise ValueError(remedy)
            try:
                local = datetime.combine(date.fromisoformat(found[1]), _parse_time(found[2]))
            except ValueError:
                raise ValueError(f"there is no {value}; {remedy}") from None
        case _:
            raise ValueError(remedy)
    if not 2000 <= local.year < 2200:  # as the instants of events
        raise ValueError("the year must lie between 2000 and 2199")
    return local


def _parse_offset(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        days = value
    else:
        found = _OFFSET.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError("write whole days before (-) or after, for example -7d or 3d")
        days = int(found[1] + found[2])
    if abs(days) > MOST_DAYS:
        raise ValueError(f"at most {MOST_DAYS}d before or after")
    return days


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(nearest(name, _zones()))
        raise ValueError(f"there is no time zone `{name}`; write one as Asia/Tokyo{hint}") from None
    return name


def _check_date(name: str, kinds: str) -> str:
    attribute = find(name)
    if attribute is not None and attribute.kind in _DATE_KINDS:
        return name
    meant = nearest(name, ["birthday"]) or (DATE_PREFIX + name if name.isidentifier() else None)
    raise ValueError(f"`{name}` is no date; use {kinds}" + did_you_mean(meant))


def _check_person_date(name: str) -> str:
    return _check_date(name, "`birthday`, or `date.` and its name")


def _check_any_date(name: str) -> str:
    if name.startswith(EVENT_PREFIX) and len(name) > len(EVENT_PREFIX):
        return name
    return _check_date(name, "`event.` and a field of the event, `birthday`, or `date.` and its name")


def _as_time(value: time) -> str:
    return value.isoformat("minutes")


def _as_local(value: datetime) -> str:
    return value.isoformat(" ", "minutes")


def _as_offset(days: int) -> str:
    return f"{days}d"


def _texts(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Duration = Annotated[
    timedelta,
    BeforeValidator(lambda told: told if isinstance(told, timedelta) else parse_duration(told)),
    PlainSerializer(format_duration, return_type=str, when_used="always"),
    _texts(r"^[0-9]{1,6}\s*[smhd]$", "30m", "1h", "7d"),
]
"""A length of time: 30m, 1h, 7d."""

LocalTime = Annotated[
    time,
    BeforeValidator(_parse_time),
    PlainSerializer(_as_time, return_type=str, when_used="always"),
    _texts("^([01]?[0-9]|2[0-3]):[0-5][0-9]$", "09:00", "20:30"),
]
"""A time of day, of the campaign's zone."""

LocalDateTime = Annotated[
    datetime,
    BeforeValidator(_parse_local),
    PlainSerializer(_as_local, return_type=str, when_used="always"),
    _texts("^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{1,2}:[0-9]{2}(:00)?$", "2026-12-24 10:00"),
]
"""A day and a time of it, of the campaign's zone: naive on purpose, for only the zone makes it an instant."""

OffsetDays = Annotated[
    int,
    BeforeValidator(_parse_offset),
    PlainSerializer(_as_offset, return_type=str, when_used="always"),
    _texts(r"^[+-]?[0-9]{1,4}\s*d$", "-7d", "3d"),
]
"""Whole days before (negative) or after a date."""

Zone = Annotated[str, AfterValidator(_check_zone)]
"""The name of a time zone in IANA's database."""

PersonDate = Annotated[
    str, AfterValidator(_check_person_date), _texts(r"^(birthday|date\..+)$", "birthday", "date.contract")
]
"""A date that is known of a person: `birthday`, or `date.NAME`."""

AnyDate = Annotated[
    str,
    AfterValidator(_check_any_date),
    _texts(r"^(birthday|date\..+|event\..+)$", "event.reserved_at", "birthday", "date.contract"),
]
"""A date of a person, or a date or instant in the event's data: `event.FIELD`."""


def one_or_many(value: Any) -> Any:
    """One mapping or word where a list of them may stand."""
    return (value,) if isinstance(value, dict | str) else value
