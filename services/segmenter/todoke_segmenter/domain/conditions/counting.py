"""How often and how much: over the shop's local days, or ever."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from operator import attrgetter

from todoke_segmenter.domain.conditions.compiled import CLOCK, Compiled, Query, never, number_sql
from todoke_segmenter.domain.conditions.moment import Moment
from todoke_segmenter.domain.conditions.money import in_sen
from todoke_segmenter.domain.state import PersonState
from todoke_shared.conditions.model import Count, Operand
from todoke_shared.conditions.predicate import Test, test_of

Days = Callable[[PersonState], Iterable[tuple[int, int]]]
"""A person's days, each with what counts on it."""

Total = Callable[[PersonState, int, int], int]
"""What counts after one day, until the end of another."""

_NO_DAY_IS_LATER = 10**7


def of_days(count: Count) -> Compiled:
    """Orders, visits and their like: one number a day."""
    field, days = count.attribute, count.days
    operand: Operand = in_sen(count.operand) if field == "amount" else count.operand
    test, get = test_of(count.operator, operand), attrgetter(field)

    def to_sql(query: Query) -> str:
        rows = f"jsonb_each({query.state}->'days') AS d (day, told)"
        total = _total_sql(f"(d.told->>'{field}')::numeric", rows, _within(query, "d.day", days))
        if days is None:
            total = f"({total} + coalesce(({query.state}->'before'->>'{field}')::numeric, 0))"
        return number_sql(query, total, count.operator, operand)

    if days is None:
        return Compiled(
            lambda state, _: test(sum(map(get, state.days.values())) + get(state.before)),
            never,
            frozenset({"days"}),
            to_sql,
        )

    def told(state: PersonState) -> Iterable[tuple[int, int]]:
        return [(day, get(told)) for day, told in state.days.items()]

    return _windowed(count, test, days, _total_of(field), told, frozenset({"days"}), to_sql)


@cache
def _total_of(field: str) -> Total:
    """Many conditions ask for the same number of the same person, held against others: it is added up once in a row."""
    get = attrgetter(field)
    last_asked: tuple[PersonState | None, int, int, int] = (None, 0, 0, 0)

    def total(state: PersonState, after: int, until: int) -> int:
        nonlocal last_asked
        known, known_after, known_until, number = last_asked
        if state is not known or after != known_after or until != known_until:
            number = sum([get(told) for day, told in state.days.items() if after < day <= until])
            last_asked = (state, after, until, number)
        return number

    return total


def of_products(count: Count) -> Compiled:
    """Bought and viewed, of one product or of several together."""
    return _of_names(count, "products", count.attribute)


def of_stores(count: Count) -> Compiled:
    """Days with a visit to a physical store, or to several together."""
    return _of_names(count, "stores", "days")


def _of_names(count: Count, part: str, field: str) -> Compiled:
    """What is counted by day (`field`) of each of some names in a `part` of the state."""
    days, names = count.days, tuple(dict.fromkeys(count.products))
    test, get_known, get = test_of(count.operator, count.operand), attrgetter(part), attrgetter(field)
    reads = frozenset({part})

    def told(state: PersonState) -> Iterable[tuple[int, int]]:
        known = get_known(state)
        return [one for name in names if name in known for one in get(known[name]).items()]

    def total(state: PersonState, first: int, last: int) -> int:
        return sum([n for day, n in told(state) if first < day <= last])

    def to_sql(query: Query) -> str:
        each = f"unnest({query.texts(names)}) AS w (name)"
        rows = f"{each}, jsonb_each({query.state}->'{part}'->w.name->'{field}') AS d (day, n)"
        total = _total_sql("d.n::numeric", rows, _within(query, "d.day", days))
        return number_sql(query, total, count.operator, count.operand)

    if days is None:
        return Compiled(lambda state, _: test(sum(n for _, n in told(state))), never, reads, to_sql)
    return _windowed(count, test, days, total, told, reads, to_sql)


def _windowed(  # noqa: PLR0913, PLR0917 - the ways to look at one thing
    count: Count,
    test: Test,
    length: int,
    total: Total,
    days: Days,
    reads: frozenset[str],
    to_sql: Callable[[Query], str],
) -> Compiled:
    """Today and the `length` - 1 days before it."""
    wants_many = count.operator in ("at_least", "more_than")

    def holds(state: PersonState, moment: Moment) -> bool:
        last = moment.today
        return test(total(state, last - length, last))

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        last = moment.today
        # Days only fall out of the window, unless one is still to come: what is too little now stays so.
        if wants_many and not test(total(state, last - length, _NO_DAY_IS_LATER)):
            return None
        spans = ((day, day + length, n) for day, n in days(state))
        return moment.start_of(day_of_change(test, spans, last))

    return Compiled(holds, next_change, reads | {CLOCK}, to_sql)


def day_of_change(test: Test, spans: Iterable[tuple[int, int, int]], today: int) -> int | None:
    """The first day after today on which the test has another answer; each span counts from a day until before one."""
    steps: defaultdict[int, int] = defaultdict(int)
    total = 0
    for first, end, n in spans:
        if end <= today:
            continue
        if first > today:
            steps[first] += n
        else:
            total += n
        steps[end] -= n
    answer = test(total)
    for day in sorted(steps):
        total += steps[day]
        if test(total) is not answer:
            return day
    return None


def _within(query: Query, day: str, length: int | None) -> str:
    if length is None:
        return "true"
    today = query.moment.today
    return f"{day}::int > {query.put(today - length, 'int')} AND {day}::int <= {query.put(today, 'int')}"


def _total_sql(number: str, rows: str, where: str) -> str:
    return f"coalesce((SELECT sum({number}) FROM {rows} WHERE {where}), 0)"  # noqa: S608 - of our own words
