"""All, any and not of compiled conditions.

The next change is no earlier than it must be: what fails for one lasting reason is not looked at for another.
"""

from collections.abc import Sequence
from datetime import datetime

from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import Compiled, Query, all_sql, any_sql
from todoke_shared.people.conditions.moment import Moment


def all_of(parts: Sequence[Compiled]) -> Compiled:
    """Every part holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(state: PersonState, moment: Moment) -> bool:
        for test in tests:  # noqa: SIM110 - all() with a generator takes three times as long
            if not test(state, moment):
                return False
        return True

    return Compiled(
        holds,
        lambda state, moment: _next_change(parts, state, moment, wanted=True),
        _reads(parts),
        lambda query: all_sql([part.to_sql(query) for part in parts]),
    )


def any_of(parts: Sequence[Compiled]) -> Compiled:
    """At least one part holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(state: PersonState, moment: Moment) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if test(state, moment):
                return True
        return False

    return Compiled(
        holds,
        lambda state, moment: _next_change(parts, state, moment, wanted=False),
        _reads(parts),
        lambda query: any_sql([part.to_sql(query) for part in parts]),
    )


def not_(part: Compiled) -> Compiled:
    """The part does not hold."""
    test = part.holds

    def to_sql(query: Query) -> str:
        return f"(NOT {part.to_sql(query)})"

    return Compiled(lambda state, moment: not test(state, moment), part.next_change, part.reads, to_sql)


def _next_change(parts: Sequence[Compiled], state: PersonState, moment: Moment, *, wanted: bool) -> datetime | None:
    """Of `all` (wanted: every part true) or `any` (wanted: every part false).

    As long as it is as wanted, the first change of any part ends it. Until it is, every part that is not as wanted must
    change: so not before the last of their changes, and never when one of them never changes.
    """
    against = [part for part in parts if part.holds(state, moment) is not wanted]
    changes = [part.next_change(state, moment) for part in against or parts]
    if not against:
        return min((change for change in changes if change is not None), default=None)
    known = [change for change in changes if change is not None]
    return max(known) if len(known) == len(changes) else None


def _reads(parts: Sequence[Compiled]) -> frozenset[str]:
    return frozenset().union(*(part.reads for part in parts))
