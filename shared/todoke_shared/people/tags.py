"""A person's tags: each a register, and a list of all of them hides what was told of tags before it."""

from collections.abc import Iterable
from datetime import datetime

from todoke_shared.people import registers
from todoke_shared.people.instants import latest
from todoke_shared.people.registers import Register

MAX_TAGS = 200
Tags = dict[str, Register]
"""By tag: True since then, or False. A tag that is not here is not the person's."""


def told(tags: Tags, whole_at: datetime | None, names: Iterable[str], at: datetime, source: str) -> Tags:
    """The tags once a list of all of them was told. `whole_at`: the last such list, this one included."""
    return set_some(tags, whole_at, {name: Register(at, True, source) for name in names})


def set_some(tags: Tags, whole_at: datetime | None, news: Tags) -> Tags:
    """The tags once some were added or taken away."""
    return _visible(registers.put(tags, news, MAX_TAGS), whole_at)


def join(a: Tags, a_at: datetime | None, b: Tags, b_at: datetime | None) -> Tags:
    """The tags of two people who are one."""
    return set_some(a, latest(a_at, b_at), b)


def _visible(tags: Tags, whole_at: datetime | None) -> Tags:
    if whole_at is None or all(register.at >= whole_at for register in tags.values()):
        return tags
    return {tag: register for tag, register in tags.items() if register.at >= whole_at}
