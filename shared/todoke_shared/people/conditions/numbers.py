"""A number of a person: what it is today, how it goes on with no event, and the bounds that it is held against."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from todoke_shared.conditions.model import Operator
from todoke_shared.conditions.predicate import exact
from todoke_shared.people import PersonState

Course = list[tuple[int, int]]
"""The number from which day on: from today, then from every day on which it can become another with no event."""


@dataclass(frozen=True, eq=False)
class Number:
    """`total`: on a day; `course`: from a day on. Conditions that ask for the same number have the same object.

    `goes_on`: time alone can change it.
    """

    total: Callable[[PersonState, int], int]
    course: Callable[[PersonState, int], Course]
    goes_on: bool


@dataclass(frozen=True)
class Bound:
    """A condition that a whole number divides: `above` is its answer from `least` on, and below it the other."""

    number: Number
    least: int
    above: bool


def bound_of(number: Number, operator: Operator, operand: Any) -> Bound | None:
    """The bound that an operator and its operand are; None for those that pick out single numbers."""
    match operator:
        case "at_least":
            return Bound(number, math.ceil(exact(operand)), above=True)
        case "more_than":
            return Bound(number, math.floor(exact(operand)) + 1, above=True)
        case "at_most":
            return Bound(number, math.floor(exact(operand)) + 1, above=False)
        case "less_than":
            return Bound(number, math.ceil(exact(operand)), above=False)
        case _:
            return None


def course_of(spans: Iterable[tuple[int, int, int]], today: int) -> Course:
    """The sum of what counts from a day until before another."""
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
    course = [(today, total)]
    for day in sorted(steps):
        total += steps[day]
        course.append((day, total))
    return course


def day_of_change(answer: Callable[[int], object], course: Course) -> int | None:
    """The first day after today on which the answer about the number is another one."""
    answer_today = answer(course[0][1])
    for day, total in course:
        if answer(total) != answer_today:
            return day
    return None
