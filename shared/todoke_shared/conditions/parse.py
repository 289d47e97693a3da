"""Plain YAML values -> a condition. Errors say where, what, and what to write instead."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from todoke_shared.conditions.attributes import EVENT_PREFIX, find, nearest
from todoke_shared.conditions.bodies import read_body
from todoke_shared.conditions.errors import ConditionError, Path, did_you_mean, gather
from todoke_shared.conditions.model import All, Any_, Condition, Not, Segment
from todoke_shared.conditions.operands import read_names

_MAX_DEPTH = 20
"""Deeper than any condition a person would write, shallow enough for any stack."""


@dataclass(frozen=True)
class _Reader:
    segments: Collection[str] | None
    events: bool

    def condition(self, value: Any, path: Path) -> Condition:
        if len(path) > _MAX_DEPTH:
            raise ConditionError(path, "this condition is nested too deeply; split it into segments")
        if not isinstance(value, Mapping) or not value:
            raise ConditionError(path, "write a condition as a mapping, for example `cart.items: {at_least: 1}`")
        parts = gather(lambda entry: self._entry(*entry, (*path, entry[0])), value.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def _entry(self, key: Any, body: Any, path: Path) -> Condition:
        if key in ("all", "any"):
            if not isinstance(body, Sequence) or isinstance(body, str) or not body:
                raise ConditionError(path, f"`{key}` takes a list of conditions")
            parts = gather(lambda part: self.condition(part[1], (*path, part[0])), enumerate(body))
            return All(parts) if key == "all" else Any_(parts)
        if key == "not":
            return Not(self.condition(body, path))
        attribute = find(key) if isinstance(key, str) else None
        if attribute is None:
            hint = did_you_mean(nearest(str(key))) or "; docs/conditions.md lists all there are"
            raise ConditionError(path, f"unknown attribute `{key}`{hint}")
        if attribute.kind == "segment":
            return self._segments(body, path)
        if key.startswith(EVENT_PREFIX) and not self.events:
            raise ConditionError(path, f"`{key}` is an event's, and there is none here; ask about the person")
        return read_body(key, attribute.kind, body, path)

    def _segments(self, body: Any, path: Path) -> Condition:
        names = read_names(body, path, self.segments, "segment")
        return Segment(names[0]) if len(names) == 1 else Any_(tuple(map(Segment, names)))


def parse_condition(
    value: Any, path: Path = (), *, segments: Collection[str] | None = None, events: bool = True
) -> Condition:
    """Read a condition. ConditionError names the place and the remedy.

    `segments`: the names that `segment` may bear, where they are known; `resolve` finds out about the rest. `events`:
    whether there is an event to ask about, as there is for a campaign and not for a segment.
    """
    return _Reader(segments, events).condition(value, path)
