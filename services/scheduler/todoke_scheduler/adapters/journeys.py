"""Journeys in PostgreSQL: the newest entries and exits, and the runs that a batch of triggers is about."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from todoke_scheduler.adapters.conversions import goals_heard
from todoke_scheduler.adapters.enrolments import enrolment_of
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.goals import Heard
from todoke_scheduler.domain.journey import Marks
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import enrolment_id
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "journeys.sql")

JourneyKey = tuple[str, UUID, str]
"""(campaign, person, key); the key "" also holds the exits that mean every key."""


@dataclass
class Journeys:
    """The journeys that a batch of triggers is about.

    `current` leads from an old id to whom the person turned out to be. `over`: runs that are, where goals ask for them.
    `heard`: goals that they may have reached before their entry was heard of; `newly_heard`: those of this batch.
    `begun_before`: of the runs that the entries would begin, those that have been and are over.
    """

    current: dict[UUID, UUID]
    marks: dict[JourneyKey, Marks]
    runs: dict[UUID, Enrolment]
    over: tuple[Enrolment, ...] = ()
    begun_before: frozenset[UUID] = frozenset()
    heard: tuple[Heard, ...] = ()
    newly_heard: list[Heard] = field(default_factory=list)
    changed: set[UUID] = field(default_factory=set)
    noted: set[UUID] = field(default_factory=set)
    marked: set[JourneyKey] = field(default_factory=set)
    _of_person: defaultdict[tuple[str, UUID], dict[UUID, None]] = field(
        init=False, default_factory=lambda: defaultdict(dict)
    )

    def __post_init__(self) -> None:
        """Know whose runs they are: a batch of triggers asks for those of each of its people."""
        for run in self.runs.values():
            self._list(run)

    def marks_of(self, trigger: Trigger) -> Marks:
        """The marks of a trigger's journey, person-wide exits included."""
        own = self.marks.get((trigger.campaign, trigger.person, trigger.key), Marks())
        wide = self.marks.get((trigger.campaign, trigger.person, ""), Marks())
        return own.exiting(wide.exited_at) if wide.exited_at else own

    def mark(self, trigger: Trigger, marks: Marks) -> None:
        """Remember marks of a trigger's journey."""
        key = (trigger.campaign, trigger.person, trigger.key)
        self.marks[key] = marks
        self.marked.add(key)

    def runs_of(self, trigger: Trigger, *, key: str | None = None) -> list[Enrolment]:
        """The person's runs in the campaign, all of them or those of one key."""
        runs = [self.runs[id_] for id_ in self._of_person[trigger.campaign, trigger.person] if id_ in self.runs]
        return [run for run in runs if key in (None, run.key)]

    def over_of(self, trigger: Trigger) -> list[Enrolment]:
        """The person's runs in the campaign that are over."""
        return [
            run
            for run in self.over
            if run.campaign == trigger.campaign and self.current.get(run.person, run.person) == trigger.person
        ]

    def hear(self, heard: Heard) -> None:
        """Remember a goal."""
        self.newly_heard.append(heard)

    def heard_of(self, trigger: Trigger) -> list[Heard]:
        """The person's goals in the campaign that are remembered, in the order in which they happened."""
        own = [
            one
            for one in self.heard
            if one.campaign == trigger.campaign and self.current.get(one.person, one.person) == trigger.person
        ]
        return sorted(own, key=lambda one: (one.at, one.id))

    def put(self, run: Enrolment) -> None:
        """A run as it now stands."""
        before = self.runs.get(run.id)
        if before != run:
            if before is not None and before.notes != run.notes:
                self.noted.add(run.id)
            self.runs[run.id] = run
            self.changed.add(run.id)
            self._list(run)

    def _list(self, run: Enrolment) -> None:
        self._of_person[run.campaign, self.current.get(run.person, run.person)][run.id] = None


async def take_turns(connection: Connection, people: Iterable[UUID]) -> dict[UUID, UUID]:
    """Every id under which these people are or were known, and whom it means now.

    Until this transaction ends, whoever else decides about one of them, under any of these ids, waits. Two may turn out
    to be one while we wait ourselves: hence again, until there is no id whose turn we have not.
    """
    wanted = set(people)
    current = await current_ids(connection, wanted)
    ours: set[UUID] = set()
    while fresh := (wanted := wanted | current.keys()) - ours:
        await connection.fetch(_SQL["take_turns"], sorted(fresh))
        ours |= fresh
        current = await current_ids(connection, ours)
    return current


async def current_ids(connection: Connection, people: Iterable[UUID]) -> dict[UUID, UUID]:
    """Every id under which these people are or were known, and whom it means now."""
    rows = await connection.fetch(_SQL["aliases_of"], sorted(people))
    return {row["person_id"]: row["current_id"] for row in rows}


async def lock_journeys(connection: Connection, triggers: Sequence[Trigger], current: dict[UUID, UUID]) -> Journeys:
    """The journeys of these triggers, under every id that their people had: `current`, of `take_turns`."""
    campaigns = sorted({trigger.campaign for trigger in triggers})
    people = sorted({trigger.person for trigger in triggers} | current.keys())
    marks: dict[JourneyKey, Marks] = {}
    for row in await connection.fetch(_SQL["marks_of"], campaigns, people):
        key = (row["campaign"], current.get(row["person_id"], row["person_id"]), row["key"])
        known = marks.get(key, Marks())
        known = known.entering(row["entered_at"]) if row["entered_at"] else known
        marks[key] = known.exiting(row["exited_at"]) if row["exited_at"] else known
    rows = await connection.fetch(_SQL["active_of"], campaigns, people)
    over: list[Enrolment] = []
    if any(trigger.kind == "goal" for trigger in triggers):
        over = [enrolment_of(row) for row in await connection.fetch(_SQL["over_of"], campaigns, people)]
    runs = {row["enrolment_id"]: enrolment_of(row) for row in rows}
    entries = [one for one in triggers if one.kind == "enter"]
    if not entries:
        return Journeys(current, marks, runs, tuple(over))
    ids = [enrolment_id(one.campaign, one.person, one.key, one.at) for one in entries]
    begun = frozenset(row["enrolment_id"] for row in await connection.fetch(_SQL["begun_before"], ids))
    heard = await goals_heard(connection, campaigns, people)
    return Journeys(current, marks, runs, tuple(over), begun, heard)


async def save_marks(connection: Connection, journeys: Journeys) -> None:
    """Write the entries and exits that were new."""
    if journeys.marked:
        keys = sorted(journeys.marked)
        marks = [journeys.marks[key] for key in keys]
        await connection.execute(
            _SQL["save_marks"],
            [campaign for campaign, _, _ in keys],
            [person for _, person, _ in keys],
            [key for _, _, key in keys],
            [mark.entered_at for mark in marks],
            [mark.exited_at for mark in marks],
        )
