"""Whose a device is, by the rule alone: looked up in the whole story each time, with nothing kept and nothing joined.

Knows nothing of our code. A device is a visitor or a LINE user; a story is what shops told, in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["login", "logout", "same"]


@dataclass(frozen=True)
class Told:
    """`login`: the device is the member from `at` on. `logout`: it is the member no more. `same`: two members are one.

    `order` breaks a tie of two events in one instant; it is the events' own, not that of their arrival.
    """

    kind: Kind
    at: float
    order: str
    member: str
    device: str = ""
    other: str = ""


def who_is(story: Sequence[Told], member: str) -> frozenset[str]:
    """All members who are this one."""
    found = {member}
    for _ in story:
        for told in story:
            if told.kind == "same" and {told.member, told.other} & found:
                found |= {told.member, told.other}
    return frozenset(found)


def owner(story: Sequence[Told], device: str, at: float = float("inf")) -> frozenset[str]:
    """The members whose the device is at an instant (who logged in last and has not left), or nobody."""
    whose: frozenset[str] = frozenset()
    for told in sorted((t for t in story if t.device == device and t.at <= at), key=lambda t: (t.at, t.order)):
        if told.kind == "login":
            whose = who_is(story, told.member)
        elif told.member in whose:
            whose = frozenset()
    return whose
