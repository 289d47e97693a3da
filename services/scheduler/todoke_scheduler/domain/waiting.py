"""How long a `wait` waits. It counts from when it was due itself, never from when somebody came to look.

| wait | until |
|------|-------|
| `1h` | so much later |
| `{until: "20:00"}`, `{until: friday 12:00}` | it is so next; where it is so just now, the next time |
| `{days: 3, at: "20:00"}` | that time of the third day after the local day on which the run started; past: at once |
| `{date: …, offset: -2d, at: "18:00"}` | that time of that day; past or not known: at once. A birthday: the next |
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from todoke_scheduler.domain import words
from todoke_scheduler.domain.calendar import coming_birthday, later, local_day, next_time, next_weekday, on_day
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.people import Person
from todoke_shared.campaigns.model import OnDate, OnDay, UntilTime, UntilWeekday
from todoke_shared.campaigns.waits import WaitFor
from todoke_shared.conditions.attributes import EVENT_PREFIX

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def due_after(
    wait: WaitFor, run: Enrolment, due_at: datetime, zone: ZoneInfo, person: Person
) -> tuple[datetime, str | None]:
    """When the step after a wait that was due at `due_at` is due; a sentence where it does not wait as it was told."""
    match wait:
        case timedelta():
            return later(due_at, wait), None
        case UntilTime(time=at):
            return next_time(due_at, at, zone), None
        case UntilWeekday(weekday=weekday, time=at):
            return next_weekday(due_at, weekday, at, zone), None
        case OnDay(days=days, at=at):
            return max(due_at, on_day(local_day(run.started_at, zone), days, at, zone)), None
        case OnDate(date=name):
            found = _instant_of(wait, run, due_at, zone, person)
            if found is None:
                return due_at, words.date_unknown(name)
            return (found, None) if found >= due_at else (due_at, words.date_past(name))


def _instant_of(wait: OnDate, run: Enrolment, due_at: datetime, zone: ZoneInfo, person: Person) -> datetime | None:
    match _told(wait.date, run, person):
        case datetime() as told:
            return _of_instant(told, wait, zone)
        case date() as day:
            if wait.date == "birthday":
                day = coming_birthday(day, local_day(due_at, zone))
            return on_day(day, wait.offset_days, wait.at or time.min, zone)
    return None


def _of_instant(told: datetime, wait: OnDate, zone: ZoneInfo) -> datetime:
    """`told` without an offset from UTC is of the zone; so is one from beyond the years that can be converted."""
    if told.tzinfo is not None and 2 <= told.year <= 9998:
        if wait.at is None and wait.offset_days == 0:
            return told.astimezone(UTC)
        told = told.astimezone(zone)
    local = told.replace(tzinfo=None, fold=0)
    return on_day(local.date(), wait.offset_days, wait.at or local.time(), zone)


def _told(name: str, run: Enrolment, person: Person) -> date | datetime | None:
    if not name.startswith(EVENT_PREFIX):
        return person.date(name)
    found: Any = run.context.get("event")
    for part in name.removeprefix(EVENT_PREFIX).split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return _read(found) if isinstance(found, str) else None


def _read(text: str) -> date | datetime | None:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        return None
