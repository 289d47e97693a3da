"""Age, birthdays and other dates: what only the shop's calendar changes. Asked of a day, and so the same all day."""

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from todoke_shared.conditions.attributes import DATE_PREFIX
from todoke_shared.conditions.model import Compare, InDays, Month, Operand
from todoke_shared.conditions.predicate import test_of
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import CLOCK, Compiled, Query, never, threshold_sql
from todoke_shared.people.conditions.dates import (
    EARLIEST,
    LATEST,
    VALID_DATE,
    birthday_in,
    date_of,
    iso,
    years_since,
)
from todoke_shared.people.conditions.moment import Moment, first_day

_YEARS_AHEAD = 8
"""From one February 29 to the next, at most, around 2100: every length that a year can have is among them."""
_A_LEAP_YEAR = [date.fromordinal(date(2024, 1, 1).toordinal() + n) for n in range(366)]

On = Callable[[date | None, date], bool]
"""The answer for a date of the profile (None: none is known) and today's date."""
Days = Callable[[date, date], Iterable[int]]
"""The days on which the answer can become another, ascending, for a date of the profile and today's."""


def of_age(condition: Compare) -> Compiled:
    """Whole years since the birthday; not known before it."""
    test, operator, operand = test_of(condition.operator, condition.operand), condition.operator, condition.operand

    def on(born: date | None, today: date) -> bool:
        return test(None if born is None or born > today else years_since(born, today))

    def days(born: date, _: date) -> Iterable[int]:
        years = (born.year + number for number in _whole_numbers(operand))
        birthdays = (birthday_in(born, year).toordinal() for year in years if 0 < year <= date.max.year)
        return sorted([born.toordinal(), *birthdays])

    def to_sql(query: Query, known: str, born: str) -> str:
        today = query.moment.date
        alive = f"coalesce({known} AND {born} <= {query.text(today.isoformat())}, false)"
        if operator == "known":
            return alive if operand else f"(NOT {alive})"
        compared = threshold_sql(operator, operand, lambda age: f"{born} <= {query.text(_born_by(today, age))}")
        return f"coalesce({alive} AND {compared}, false)"

    return _of_date("birthday", on, days, to_sql)


def of_month(condition: Month) -> Compiled:
    """The month of the birthday: a certain one, or the present one."""
    month = condition.month

    def on(born: date | None, today: date) -> bool:
        return born is not None and born.month == (today.month if month == "this" else month)

    def days(born: date, today: date) -> Iterable[int]:
        this = today.year * 12 + today.month - 1
        months = (this + 1, this + (born.month - today.month) % 12)
        return [date(n // 12, n % 12 + 1, 1).toordinal() for n in sorted(months) if n // 12 <= date.max.year]

    def to_sql(query: Query, known: str, born: str) -> str:
        number = query.moment.date.month if month == "this" else month
        return f"coalesce({known} AND substr({born}, 6, 2) = {query.text(f'{number:02}')}, false)"

    return _of_date("birthday", on, days if month == "this" else None, to_sql)


def of_days_to(condition: InDays) -> Compiled:
    """Days from today to a date of the profile, negative once it is over; to a birthday, to its next coming."""
    if condition.attribute == "birthday":
        return _of_days_to_birthday(condition)
    test, operand = test_of(condition.operator, condition.operand), condition.operand

    def on(told: date | None, today: date) -> bool:
        return told is not None and test(told.toordinal() - today.toordinal())

    def days(told: date, _: date) -> Iterable[int]:
        return sorted(_crossings(told.toordinal(), operand))

    def to_sql(query: Query, known: str, told: str) -> str:
        today = query.moment.today
        compared = threshold_sql(condition.operator, operand, lambda n: f"{told} >= {query.text(iso(today + n))}")
        return f"coalesce({known} AND {compared}, false)"

    return _of_date(condition.attribute.removeprefix(DATE_PREFIX), on, days, to_sql)


def of_known_date(condition: Compare) -> Compiled:
    """Whether the profile has a date under this name, and not just a text."""
    wanted = bool(condition.operand)

    def to_sql(_: Query, known: str, __: str) -> str:
        return f"({'' if wanted else 'NOT '}coalesce({known}, false))"

    name = condition.attribute.removeprefix(DATE_PREFIX)
    return _of_date(name, lambda told, _: (told is not None) is wanted, None, to_sql)


def _of_days_to_birthday(condition: InDays) -> Compiled:
    test, operand = test_of(condition.operator, condition.operand), condition.operand

    def on(born: date | None, today: date) -> bool:
        return born is not None and test(_days_to_birthday(born, today))

    def days(born: date, today: date) -> Iterable[int]:
        last = 0
        for year in range(today.year, min(today.year + _YEARS_AHEAD, date.max.year) + 1):
            birthday = birthday_in(born, year).toordinal()
            yield from sorted(day for day in _crossings(birthday, operand) if last < day)
            last = birthday + 1
            yield last

    def to_sql(query: Query, known: str, born: str) -> str:
        # Every day that can be a birthday is asked here and now: the query has the answers, and no calendar of its own.
        right = [day.isoformat()[5:] for day in _A_LEAP_YEAR if on(day, query.moment.date)]
        return f"coalesce({known} AND substr({born}, 6) = ANY({query.texts(right)}), false)"

    return _of_date("birthday", on, days, to_sql)


def _days_to_birthday(born: date, today: date) -> int | None:
    this_year = birthday_in(born, today.year)
    if this_year >= today:
        return this_year.toordinal() - today.toordinal()
    return birthday_in(born, today.year + 1).toordinal() - today.toordinal() if today.year < date.max.year else None


def _of_date(name: str, on: On, days: Days | None, to_sql: Callable[[Query, str, str], str]) -> Compiled:
    """`days` is None where the calendar changes nothing. `to_sql` is given whether the date is one, and its text."""

    def told(state: PersonState) -> date | None:
        register = state.profile.get(name)
        return None if register is None else date_of(register.value)

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        found = told(state)
        if found is None or days is None:
            return None
        coming = days(found, moment.date)
        return moment.start_of(first_day(lambda day: on(found, date.fromordinal(day)), coming, moment.today))

    def written(query: Query) -> str:
        value = f"({query.state}->'profile'->{query.text(name)}->>'value')"
        return to_sql(query, f"{value} ~ {VALID_DATE}", f'{value} COLLATE "C"')

    reads = frozenset({f"profile.{name}"})
    return Compiled(
        lambda state, moment: on(told(state), moment.date),
        never if days is None else next_change,
        reads if days is None else reads | {CLOCK},
        written,
    )


def _crossings(day: int, operand: Operand) -> list[int]:
    """The days on which the number of days to `day` reaches, or leaves, what it is held against."""
    return [day - number for whole in _whole_numbers(operand) for number in (whole, whole - 1)]


def _whole_numbers(operand: Any) -> list[int]:
    """Where a whole number that goes up or down passes an operand."""
    numbers = operand if isinstance(operand, tuple) else (operand,)
    return [whole for number in numbers for whole in (math.floor(number), math.floor(number) + 1)]


def _born_by(today: date, age: int) -> str:
    """The latest birthday, as text, of whoever is of an age; of no calendar when it is a February 29."""
    year = today.year - age
    if year < 1:
        return EARLIEST
    return f"{year:04}-{today.month:02}-{today.day:02}" if year <= date.max.year else LATEST
