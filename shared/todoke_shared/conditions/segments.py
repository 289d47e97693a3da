"""Segments within segments: each name replaced by what it asks for, cycles refused."""

from collections.abc import Mapping

from todoke_shared.conditions.errors import ConditionError
from todoke_shared.conditions.model import All, Any_, Condition, Not, Segment
from todoke_shared.conditions.operands import one_of_these

_MOST_COMPARISONS = 1000
"""Once its segments are written out; far more than anybody writes, few enough for a query."""
_DEEPEST = 10
"""Segments within segments within segments; with the depth of each, still shallow enough for any stack."""


class SegmentCycleError(ConditionError):
    """Segments that ask for one another in a circle. `cycle` begins and ends with the same name."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__((), f"segments ask for one another in a circle: {' → '.join(cycle)}; take one of them out")
        self.cycle = cycle


def resolve(condition: Condition, segments: Mapping[str, Condition]) -> Condition:
    """The condition with no `segment` in it.

    SegmentCycleError names the circle. ConditionError: an unknown segment, or a condition that is too large once its
    segments are written out.
    """
    resolved, _ = _resolve(condition, segments, ())
    return resolved


def resolve_all(segments: Mapping[str, Condition]) -> dict[str, Condition]:
    """Every segment's own condition, by its name, with no `segment` in it. Errors as of `resolve`."""
    return {name: _named(name, segments, ())[0] for name in segments}


def segments_named(condition: Condition) -> frozenset[str]:
    """The segments that a condition asks for by name, none of those within them."""
    match condition:
        case Segment(name):
            return frozenset({name})
        case Not(part):
            return segments_named(part)
        case All(parts) | Any_(parts):
            return frozenset().union(*map(segments_named, parts))
        case _:
            return frozenset()


def _named(name: str, segments: Mapping[str, Condition], within: tuple[str, ...]) -> tuple[Condition, int]:
    if name in within:
        raise SegmentCycleError((*within[within.index(name) :], name))
    if len(within) >= _DEEPEST:
        raise ConditionError((), f"segments are nested too deeply: {' → '.join((*within, name))}")
    one_of_these(name, (), segments, "segment")
    return _resolve(segments[name], segments, (*within, name))


def _resolve(condition: Condition, segments: Mapping[str, Condition], within: tuple[str, ...]) -> tuple[Condition, int]:
    match condition:
        case Segment(name):
            return _named(name, segments, within)
        case Not(part):
            inner, size = _resolve(part, segments, within)
            return Not(inner), size
        case All(parts) | Any_(parts):
            found, size = [], 0
            for part in parts:
                inner, more = _resolve(part, segments, within)
                found.append(inner)
                size += more
                if size > _MOST_COMPARISONS:
                    raise ConditionError(
                        (), f"this asks for more than {_MOST_COMPARISONS} things once its segments are written out"
                    )
            return type(condition)(tuple(found)), size
        case _:
            return condition, 1
