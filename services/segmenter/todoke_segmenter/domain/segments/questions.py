"""What is asked of a person: one segment's condition, or at once all that hold one number against different bounds.

Segments differ by a bound more often than by anything else ("3 orders or more", "5 or more", …): on a ladder, the
hundredth of them costs nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from todoke_shared.people import PersonState
from todoke_shared.people.conditions import Moment
from todoke_shared.people.conditions.numbers import Bound, Number, day_of_change

NextChange: TypeAlias = Callable[[PersonState, Moment], datetime | None]
Moved = list[tuple[str, bool]]
"""Segments whose answer is another one, and the answer."""


@dataclass(frozen=True, eq=False)
class Rule:
    """A segment. `next_change` is None where only events change the answer.

    `revision`: of the newest publication that says what it asks for, its own or that of a segment within it.
    `bound`: all that it asks, where that is a bound of a number.
    """

    segment: str
    holds: Callable[[PersonState, Moment], bool]
    next_change: NextChange | None
    parts: frozenset[str]
    revision: int
    bound: Bound | None = None

    def moved(self, since: Mapping[str, datetime], state: PersonState, moment: Moment) -> Moved:
        """What changes for a person who is in the segments `since`."""
        enters = self.holds(state, moment)
        return [] if enters is (self.segment in since) else [(self.segment, enters)]


class Ladder:
    """Segments that ask for one number, by their bounds. Between two bounds next to each other all answers are known.

    So all of them are what they are for any number on the same rung, and the first change of any of them is the first
    step of the number to another rung.
    """

    def __init__(self, number: Number, segments: Mapping[str, Bound], parts: frozenset[str]) -> None:
        self.parts = parts
        self.next_change: NextChange | None = self._next_change if number.goes_on else None
        self._number = number
        self._bounds = sorted({bound.least for bound in segments.values()})
        names = frozenset(segments)
        # On the rung below the first bound, no bound is reached; then one more on each.
        rungs = [
            frozenset(name for name, bound in segments.items() if bound.above is (bound.least in reached))
            for reached in (set(self._bounds[:rung]) for rung in range(len(self._bounds) + 1))
        ]
        self._answers = [(held, names - held) for held in rungs]

    def moved(self, since: Mapping[str, datetime], state: PersonState, moment: Moment) -> Moved:
        """What changes for a person who is in the segments `since`."""
        held, others = self._answers[self._rung(self._number.total(state, moment.today))]
        entered = [(segment, True) for segment in held if segment not in since]
        return entered if others.isdisjoint(since) else entered + [(name, False) for name in others if name in since]

    def _next_change(self, state: PersonState, moment: Moment) -> datetime | None:
        return moment.start_of(day_of_change(self._rung, self._number.course(state, moment.today)))

    def _rung(self, number: int) -> int:
        return bisect_right(self._bounds, number)


Question: TypeAlias = Rule | Ladder


def questions_of(rules: Iterable[Rule]) -> list[Question]:
    """The rules, those that are bounds of one number together."""
    questions: list[Question] = []
    by_number: dict[Number, list[Rule]] = {}
    for rule in rules:
        if rule.bound is None:
            questions.append(rule)
        else:
            by_number.setdefault(rule.bound.number, []).append(rule)
    for number, together in by_number.items():
        bounds = {rule.segment: rule.bound for rule in together if rule.bound is not None}
        questions += together if len(together) == 1 else [Ladder(number, bounds, together[0].parts)]
    return questions
