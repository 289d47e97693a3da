"""What is wrong with a condition, and where."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Path = tuple[str | int, ...]
"""Leads from a condition's root to a place in it, by keys and list indexes."""


class ConditionError(ValueError):
    """A condition that cannot be read. `path` leads from the condition's root to the place.

    `others`: further mistakes in the same condition, so that an author hears of all of them at once.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.others: tuple[ConditionError, ...] = ()


def gather(read: Callable[[Item], Result], items: Iterable[Item]) -> tuple[Result, ...]:
    """Read each. ConditionError: the first mistake, and with it those in all the others."""
    found: list[Result] = []
    mistakes: list[ConditionError] = []
    for item in items:
        try:
            found.append(read(item))
        except ConditionError as error:
            mistakes += (error, *error.others)
    if mistakes:
        first, *mistakes = mistakes
        first.others = tuple(mistakes)
        raise first
    return tuple(found)


def did_you_mean(hint: str | None) -> str:
    """The end of a sentence about an unknown name, when there is a known one like it."""
    return f"; did you mean `{hint}`?" if hint else ""
