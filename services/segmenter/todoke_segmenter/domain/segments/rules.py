"""The segments in force, compiled once, and found by what they read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from todoke_segmenter.domain.conditions import Moment, compile_condition
from todoke_segmenter.domain.conditions.compiled import CLOCK
from todoke_segmenter.domain.segments.parts import parts_read
from todoke_segmenter.domain.state import PersonState
from todoke_shared.conditions import Condition, ConditionError, resolve, segments_named
from todoke_shared.conditions import Segment as Named
from todoke_shared.segments.published import PublishedSegment


@dataclass(frozen=True, eq=False)
class Rule:
    """A segment. `next_change` is None where only events change the answer.

    `revision`: of the newest publication that says what it asks for, its own or that of a segment within it.
    """

    segment: str
    holds: Callable[[PersonState, Moment], bool]
    next_change: Callable[[PersonState, Moment], datetime | None] | None
    parts: frozenset[str]
    revision: int


class SegmentRules:
    """All of them at one revision: the number of the last publication, or withdrawal.

    `withdrawn`: at which revision a segment was last withdrawn, though it may be in force again.
    """

    def __init__(self, published: Iterable[PublishedSegment] = (), withdrawn: Mapping[str, int] | None = None) -> None:
        known = tuple(published)
        self.withdrawn = dict(withdrawn or {})
        self.conditions: dict[str, Condition] = {one.segment.segment: one.segment.condition for one in known}
        self.revision = max((*(one.revision for one in known), *self.withdrawn.values()), default=0)
        revisions = {one.segment.segment: one.revision for one in known}
        self.all = tuple(
            rule for name in self.conditions if (rule := _rule(name, self.conditions, revisions)) is not None
        )
        by_part: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in self.all:
            for part in rule.parts:
                by_part[part].append(rule)
        self._by_part = dict(by_part)

    @cached_property
    def by_clock(self) -> tuple[Rule, ...]:
        """Those that time alone can change."""
        return tuple(rule for rule in self.all if rule.next_change is not None)

    def reading(self, parts: Iterable[str]) -> set[Rule]:
        """Those that read any of these parts of the state."""
        found: set[Rule] = set()
        for part in parts:
            rules = self._by_part.get(part)
            if rules is not None:
                found.update(rules)
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
    )


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
