"""The segments in force, compiled once, and found by what they read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from todoke_segmenter.domain.segments.dates import DateEntry
from todoke_segmenter.domain.segments.parts import parts_read
from todoke_segmenter.domain.segments.questions import Question, Rule, questions_of
from todoke_shared.conditions import Condition, ConditionError, resolve, segments_named
from todoke_shared.conditions import Segment as Named
from todoke_shared.people.conditions import compile_condition
from todoke_shared.people.conditions.compiled import CLOCK
from todoke_shared.segments.published import PublishedSegment


class SegmentRules:
    """All of them at one revision: the number of the last publication, or withdrawal.

    `withdrawn`: at which revision a segment was last withdrawn, though it may be in force again. `dates`: those of
    campaigns that are entered by a date, each with its revision.
    """

    def __init__(
        self,
        published: Iterable[PublishedSegment] = (),
        withdrawn: Mapping[str, int] | None = None,
        dates: Iterable[tuple[DateEntry, int]] = (),
    ) -> None:
        known, dated = tuple(published), tuple(dates)
        self.withdrawn = dict(withdrawn or {})
        self.conditions: dict[str, Condition] = {one.segment.segment: one.segment.condition for one in known}
        self.dates = frozenset(entry for entry, _ in dated)
        told = (*(one.revision for one in known), *(revision for _, revision in dated), *self.withdrawn.values())
        self.revision = max(told, default=0)
        revisions = {one.segment.segment: one.revision for one in known}
        asked = [_rule(name, self.conditions, revisions) for name in self.conditions]
        self.all = (*(rule for rule in asked if rule is not None), *(_date_rule(*one) for one in dated))
        self.questions = questions_of(self.all)
        by_part: defaultdict[str, list[Question]] = defaultdict(list)
        for question in self.questions:
            for part in question.parts:
                by_part[part].append(question)
        self._by_part = dict(by_part)

    @cached_property
    def by_clock(self) -> tuple[Rule, ...]:
        """Those that time alone can change."""
        return tuple(rule for rule in self.all if rule.next_change is not None)

    def reading(self, parts: Iterable[str]) -> set[Question]:
        """Those that read any of these parts of the state."""
        found: set[Question] = set()
        for part in parts:
            questions = self._by_part.get(part)
            if questions is not None:
                found.update(questions)
        return found


def _rule(name: str, conditions: Mapping[str, Condition], revisions: Mapping[str, int]) -> Rule | None:
    """None where this release cannot read a segment that it asks for: a newer one probably can."""
    try:
        condition = resolve(Named(name), conditions)
    except ConditionError:
        return None
    compiled = compile_condition(condition)
    return Rule(
        name,
        compiled.holds,
        compiled.next_change if CLOCK in compiled.reads else None,
        parts_read(condition),
        max(revisions[one] for one in _within(name, conditions)),
        compiled.bound,
    )


def _date_rule(entry: DateEntry, revision: int) -> Rule:
    parts = frozenset({f"profile.{entry.attribute}"})
    return Rule(entry.segment, entry.holds, entry.next_change, parts, revision)


def _within(name: str, conditions: Mapping[str, Condition]) -> set[str]:
    """The segment and those that it asks for, however deep."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += segments_named(conditions[one])
    return found
