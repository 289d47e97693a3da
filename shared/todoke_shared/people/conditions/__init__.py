"""The condition language, compiled over a person's state: a predicate, the instant of the next change, and SQL.

`compile_condition` once, and ask the `Compiled` often, with one `Moment` for all that is asked at an instant. The
functions here do both at a time, for whoever asks once. Segments within segments are for `resolve`, before that.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from todoke_shared.conditions import Condition
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import Compiled, Sql
from todoke_shared.people.conditions.compiling import compile_condition
from todoke_shared.people.conditions.moment import Moment

__all__ = ["Compiled", "Moment", "Sql", "compile_condition", "holds", "next_change", "reads", "to_sql"]


def holds(
    condition: Condition, state: PersonState, now: datetime, zone: tzinfo, event: Mapping[str, Any] | None = None
) -> bool:
    """Whether the condition holds of a person at `now`. `zone` is the shop's; `event` is what `event.…` asks about."""
    return compile_condition(condition).holds(state, Moment.at(now, zone, event))


def next_change(condition: Condition, state: PersonState, now: datetime, zone: tzinfo) -> datetime | None:
    """The earliest instant (UTC) after `now` at which the answer can change with no event; None: never."""
    return compile_condition(condition).next_change(state, Moment.at(now, zone))


def to_sql(condition: Condition, now: datetime, zone: tzinfo) -> Sql:
    """The condition at `now` over the column `state` of a row of `people`. ValueError for `event.…`."""
    return compile_condition(condition).sql(Moment.at(now, zone))


def reads(condition: Condition) -> frozenset[str]:
    """The parts of the state that the answer depends on, as `Compiled.reads` has them."""
    return compile_condition(condition).reads
