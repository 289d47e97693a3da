"""The entries that the fold found, and those of them that the scheduler has never heard of: what would have been sent.

An entry's id follows from its cause, its campaign and the person; the person may have been called otherwise when it was
live, so that all whom they are tied to are tried.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from todoke_segmenter.rebuilding.sides import Connection, Sides
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import trigger_id
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_segmenter.rebuilding", "would_send.sql")
_TOGETHER = 500


@dataclass
class Entries:
    """Entries into a campaign by the fold. `known`: the scheduler has them; the others would have been sent.

    `before`: of these others, those from before the campaign's present version was published.
    """

    found: int = 0
    known: int = 0
    before: int = 0

    @property
    def missing(self) -> int:
        """The scheduler has never heard of them, though the campaign was in force."""
        return self.found - self.known - self.before


@dataclass(frozen=True)
class WouldSend:
    """By campaign. `waiting`: triggers that the scheduler has still to take; `unreadable`: what the fold set aside."""

    entries: dict[str, Entries]
    waiting: int
    unreadable: int


async def would_send(sides: Sides, scheduler: Connection, waiting: int) -> WouldSend:
    """Ask for each entry. `scheduler` sees what has been taken by now; `waiting` is passed on."""
    published = {row["campaign"]: row["published_at"] for row in await scheduler.fetch(_SQL["published"])}
    entries: dict[str, Entries] = defaultdict(Entries)
    some: list[Trigger] = []
    async for row in sides.rebuilt.cursor(_SQL["triggers"], CUSTOMER_TRIGGERS.name, prefetch=_TOGETHER):
        trigger = Trigger.from_json(row["value"])
        if trigger.kind == "enter":
            some.append(trigger)
        if len(some) >= _TOGETHER:
            await _count(some, sides, scheduler, published, entries)
            some = []
    await _count(some, sides, scheduler, published, entries)
    unreadable: int = await sides.rebuilt.fetchval(_SQL["unreadable"], CUSTOMER_TRIGGERS.name)
    return WouldSend(dict(sorted(entries.items())), waiting, unreadable)


async def _count(
    triggers: Sequence[Trigger],
    sides: Sides,
    scheduler: Connection,
    published: dict[str, datetime],
    entries: dict[str, Entries],
) -> None:
    if not triggers:
        return
    known = await _known(scheduler, [trigger.id for trigger in triggers])
    strange = [trigger for trigger in triggers if trigger.id not in known]
    tied = await sides.tied({trigger.person for trigger in strange})
    others = {trigger.id: _by_other_names(trigger, tied[trigger.person]) for trigger in strange}
    known |= await _known(scheduler, [id_ for ids in others.values() for id_ in ids])
    for trigger in triggers:
        counted = entries[trigger.campaign]
        counted.found += 1
        since = published.get(trigger.campaign)
        if trigger.id in known or known & others.get(trigger.id, set()):
            counted.known += 1
        elif since is None or trigger.at < since:
            counted.before += 1


def _by_other_names(trigger: Trigger, people: set[UUID]) -> set[UUID]:
    cause = trigger.cause
    if cause is None or cause.key is None:
        return set()
    return {trigger_id(cause.key, trigger.campaign, trigger.kind, person) for person in people}


async def _known(scheduler: Connection, ids: Sequence[UUID]) -> set[UUID]:
    if not ids:
        return set()
    return {row["key"] for row in await scheduler.fetch(_SQL["known"], ids)}
