"""How often and how much: over the shop's local days, or ever."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from operator import attrgetter

from todoke_shared.conditions.model import Count, Operand
from todoke_shared.conditions.predicate import Test, number_test_of
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import CLOCK, Compiled, Query, never, number_sql
from todoke_shared.people.conditions.moment import Moment
from todoke_shared.people.conditions.money import in_sen
from todoke_shared.people.conditions.numbers import Bound, Course, Number, bound_of, course_of, day_of_change


def of_days(count: Count) -> Compiled:
    """Orders, visits and their like: one number a day."""
    field, days = count.attribute, count.days
    operand: Operand = in_sen(count.operand) if field == "amount" else count.operand
    test, number = number_test_of(count.operator, operand), _number(field, days)

    def to_sql(query: Query) -> str:
        rows = f"jsonb_each({query.state}->'days') AS d (day, told)"
        total = _total_sql(f"(d.told->>'{field}')::numeric", rows, _within(query, "d.day", days))
        if days is None:
            total = f"({total} + coalesce(({query.state}->'before'->>'{field}')::numeric, 0))"
        return number_sql(query, total, count.operator, operand)

    return _compiled(test, number, frozenset({"days"}), to_sql, bound_of(number, count.operator, operand))


@cache
def _number(field: str, length: int | None) -> Number:
    days = _Days(field, length)
    return Number(days.total, days.course, goes_on=length is not None)


class _Days:
    """What counts of the last `length` days, today among them; or, with None, ever.

    Many conditions ask for it of the same person, and hold it against others: it is added up once in a row.
    """

    def __init__(self, field: str, length: int | None) -> None:
        self._get = attrgetter(field)
        self._length = length
        self._last_total: tuple[PersonState | None, int, int] = (None, 0, 0)
        self._last_course: tuple[PersonState | None, int, Course] = (None, 0, [])

    def total(self, state: PersonState, today: int) -> int:
        """What counts today."""
        known, day, total = self._last_total
        if known is not state or day != today:
            total = self._add_up(state, today)
            self._last_total = (state, today, total)
        return total

    def course(self, state: PersonState, today: int) -> Course:
        """What counts from today on."""
        length = self._length
        if length is None:
            return [(today, self.total(state, today))]
        known, day, course = self._last_course
        if known is not state or day != today:
            get = self._get
            course = course_of([(day, day + length, get(told)) for day, told in state.days.items()], today)
            self._last_course = (state, today, course)
        return course

    def _add_up(self, state: PersonState, today: int) -> int:
        get = self._get
        if self._length is None:
            return int(sum(map(get, state.days.values())) + get(state.before))
        before = today - self._length
        return sum([get(told) for day, told in state.days.items() if before < day <= today])


def of_products(count: Count) -> Compiled:
    """Bought and viewed, of one product or of several together."""
    return _of_names(count, "products", count.attribute)


def of_stores(count: Count) -> Compiled:
    """Days with a visit to a physical store, or to several together."""
    return _of_names(count, "stores", "days")


def _of_names(count: Count, part: str, field: str) -> Compiled:
    """What is counted by day (`field`) of each of some names in a `part` of the state."""
    days, names = count.days, tuple(dict.fromkeys(count.products))
    test, get_known, get = number_test_of(count.operator, count.operand), attrgetter(part), attrgetter(field)

    def told(state: PersonState) -> list[tuple[int, int]]:
        known = get_known(state)
        return [one for name in names if name in known for one in get(known[name]).items()]

    def to_sql(query: Query) -> str:
        each = f"unnest({query.texts(names)}) AS w (name)"
        rows = f"{each}, jsonb_each({query.state}->'{part}'->w.name->'{field}') AS d (day, n)"
        total = _total_sql("d.n::numeric", rows, _within(query, "d.day", days))
        return number_sql(query, total, count.operator, count.operand)

    def total(state: PersonState, today: int) -> int:
        if days is None:
            return sum([n for _, n in told(state)])
        return sum([n for day, n in told(state) if today - days < day <= today])

    def course(state: PersonState, today: int) -> Course:
        if days is None:
            return [(today, total(state, today))]
        return course_of([(day, day + days, n) for day, n in told(state)], today)

    return _compiled(test, Number(total, course, goes_on=days is not None), frozenset({part}), to_sql)


def _compiled(
    test: Test, number: Number, reads: frozenset[str], to_sql: Callable[[Query], str], bound: Bound | None = None
) -> Compiled:
    total, course = number.total, number.course

    def holds(state: PersonState, moment: Moment) -> bool:
        return test(total(state, moment.today))

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        return moment.start_of(day_of_change(test, course(state, moment.today)))

    if not number.goes_on:
        return Compiled(holds, never, reads, to_sql, bound)
    return Compiled(holds, next_change, reads | {CLOCK}, to_sql, bound)


def _within(query: Query, day: str, length: int | None) -> str:
    if length is None:
        return "true"
    today = query.moment.today
    return f"{day}::int > {query.put(today - length, 'int')} AND {day}::int <= {query.put(today, 'int')}"


def _total_sql(number: str, rows: str, where: str) -> str:
    return f"coalesce((SELECT sum({number}) FROM {rows} WHERE {where}), 0)"  # noqa: S608 - of our own words
