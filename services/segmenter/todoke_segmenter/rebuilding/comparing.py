"""The rebuilt state beside the live one, person by person and product by product, in one pass over both.

| found                                            | counted as        |
|--------------------------------------------------|-------------------|
| the same on both sides                           | equal             |
| somebody whose first events the topics have lost, or who is tied to such a person, and who is not the same | older |
| on both sides, but not the same                  | different         |
| live alone                                       | missing           |
| rebuilt alone                                    | only rebuilt      |

Parts are named, and persons by their ids, which are hashes: nothing of what is known of anybody is told.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import msgspec

from todoke_segmenter.domain.products import FIELDS
from todoke_segmenter.rebuilding.sides import Sides
from todoke_shared.people import PersonState

Row: TypeAlias = asyncpg.Record
Pair = tuple[Row | None, Row | None]
"""(live, rebuilt)"""
SAMPLE = 10
"""Of each part: enough to see a pattern."""
_TOGETHER = 200
"""Suspects whose states are read at once."""
_STATE = tuple(part.name for part in msgspec.structs.fields(PersonState))
MISSING, ONLY_REBUILT = "(missing)", "(only rebuilt)"


@dataclass(frozen=True)
class Difference:
    """Who or what differs, and in which parts."""

    name: str
    parts: tuple[str, ...]


@dataclass
class Counts:
    """How many are what. `covered`: of `live`, those of whom the topics hold everything."""

    equal: int = 0
    different: int = 0
    missing: int = 0
    only_rebuilt: int = 0
    older: int = 0
    live: int = 0
    covered: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Difference]] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Whether nothing that the topics tell of is otherwise."""
        return not (self.different or self.missing or self.only_rebuilt)

    @property
    def share(self) -> float:
        """Of what is live, the part that the topics tell of from its beginning; 1 when nothing is."""
        return self.covered / self.live if self.live else 1.0

    def note(self, difference: Difference) -> None:
        """Count it, and keep it where it is among the first of its parts."""
        match difference.parts:
            case (part,) if part == MISSING:
                self.missing += 1
            case (part,) if part == ONLY_REBUILT:
                self.only_rebuilt += 1
            case _:
                self.different += 1
        for part in difference.parts:
            self.parts[part] += 1
            sample = self.samples.setdefault(part, [])
            if len(sample) < SAMPLE:
                sample.append(difference)

    def see(self, live: Row | None) -> None:
        """One more of what is live."""
        if live is not None:
            self.live += 1
            self.covered += live["covered"]


@dataclass
class Comparison:
    """All that was compared."""

    people: Counts = field(default_factory=Counts)
    products: Counts = field(default_factory=Counts)

    @property
    def is_equal(self) -> bool:
        """Whether the live state is what the topics make of it."""
        return self.people.is_equal and self.products.is_equal


async def compare(sides: Sides, now: datetime, tell: Callable[[int], None]) -> Comparison:
    """Compare everything. `now`: up to when the clock has been asked on the rebuilt side; `tell` counts people done."""
    comparison = Comparison()
    await _compare_people(sides, now, comparison.people, tell)
    await _compare_products(sides, comparison.products)
    return comparison


async def _compare_people(sides: Sides, now: datetime, counts: Counts, tell: Callable[[int], None]) -> None:
    suspects: list[Pair] = []
    async for live, rebuilt in _side_by_side(sides.people(sides.live), sides.people(sides.rebuilt), "person_id"):
        if _is_merged(live) and _is_merged(rebuilt) and live["merged_into"] == rebuilt["merged_into"]:  # type: ignore[index]
            continue
        if not _is_merged(live):
            counts.see(live)
        if live is not None and rebuilt is not None and not _hashes_differ(live, rebuilt, now):
            counts.equal += 1
        else:
            suspects.append((live, rebuilt))
        tell(1)
        if len(suspects) >= _TOGETHER:
            await _look_closer(sides, suspects, now, counts)
            suspects = []
    await _look_closer(sides, suspects, now, counts)


async def _look_closer(sides: Sides, suspects: list[Pair], now: datetime, counts: Counts) -> None:
    if not suspects:
        return
    ids = [_either(pair)["person_id"] for pair in suspects]
    live_states, rebuilt_states = await sides.states(ids)
    differences = []
    for pair, person in zip(suspects, ids, strict=True):
        parts = _parts(*pair, live_states.get(person), rebuilt_states.get(person), now)
        if parts:
            differences.append((person, Difference(str(person), parts)))
        else:
            counts.equal += 1
    tied = await sides.tied(person for person, _ in differences)
    uncovered = await sides.uncovered(set().union(*tied.values()))
    for person, difference in differences:
        if tied[person] & uncovered:
            counts.older += 1
        else:
            counts.note(difference)


def _parts(
    live: Row | None, rebuilt: Row | None, known: PersonState | None, found: PersonState | None, now: datetime
) -> tuple[str, ...]:
    """In which parts a person differs."""
    if live is None:
        return (ONLY_REBUILT,)
    if rebuilt is None:
        return (MISSING,)
    parts = [name for name in _hashes_differ(live, rebuilt, now) if name != "state"]
    return (*parts, *(name for name in _STATE if getattr(known, name) != getattr(found, name)))


def _hashes_differ(live: Row, rebuilt: Row, now: datetime) -> list[str]:
    names = ["merged_into", "state", "identifiers", "friends"]
    if _were_asked_alike(live, rebuilt, now):
        names.append("segments")
    return [name for name in names if live[name] != rebuilt[name]]


def _were_asked_alike(live: Row, rebuilt: Row, now: datetime) -> bool:
    """Whether both know of the same segments and neither waits for the clock: else they may differ for a moment."""
    due = [row["next_check_at"] is not None and row["next_check_at"] <= now for row in (live, rebuilt)]
    return live["revision"] == rebuilt["revision"] and not any(due)


async def _compare_products(sides: Sides, counts: Counts) -> None:
    async for live, rebuilt in _side_by_side(
        sides.products(sides.live), sides.products(sides.rebuilt), "shop", "product_id"
    ):
        counts.see(live)
        parts = _product_parts(live, rebuilt)
        one = _either((live, rebuilt))
        if not parts:
            counts.equal += 1
        elif live is not None and not live["covered"]:
            counts.older += 1
        else:
            counts.note(Difference(f"{one['shop']}/{one['product_id']}", parts))


def _product_parts(live: Row | None, rebuilt: Row | None) -> tuple[str, ...]:
    if live is None:
        return (ONLY_REBUILT,)
    if rebuilt is None:
        return (MISSING,)
    pairs = zip(FIELDS, live["fields"], rebuilt["fields"], strict=True)
    return tuple(name for name, is_, should in pairs if is_ != should)


async def _side_by_side(live: AsyncIterator[Row], rebuilt: AsyncIterator[Row], *key: str) -> AsyncIterator[Pair]:
    """Rows of one key together. Both sides come in the order of the key."""

    def place(row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in key)

    a, b = await anext(live, None), await anext(rebuilt, None)
    while a is not None or b is not None:
        if b is None or (a is not None and place(a) < place(b)):
            yield a, None
            a = await anext(live, None)
        elif a is None or place(b) < place(a):
            yield None, b
            b = await anext(rebuilt, None)
        else:
            yield a, b
            a, b = await anext(live, None), await anext(rebuilt, None)


def _either(pair: Pair) -> Row:
    row = pair[0] if pair[0] is not None else pair[1]
    assert row is not None  # noqa: S101 - no pair is empty
    return row


def _is_merged(row: Row | None) -> bool:
    return row is not None and row["merged_into"] is not None
