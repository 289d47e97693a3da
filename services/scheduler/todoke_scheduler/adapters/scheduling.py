"""Journeys, enrolments and timers in PostgreSQL, a batch at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.journey import Marks
from todoke_scheduler.domain.owing import PersonNow
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "scheduling.sql")

JourneyKey = tuple[str, UUID, str]
"""(campaign, person, key); the key "" also holds the exits that mean every key."""


@dataclass(frozen=True)
class Decision:
    """A line of the decision log: in words, why something was not done."""

    person: UUID
    campaign: str
    decision: str
    at: datetime
    enrolment: UUID | None = None
    step: str | None = None


@dataclass(frozen=True)
class Timer:
    """Look at this run at `due_at`, if it still stands at `position`."""

    due_at: datetime
    enrolment: UUID
    position: int


@dataclass
class Journeys:
    """The journeys that a batch of triggers is about.

    `current` leads from an old id to whom the person turned out to be.
    """

    current: dict[UUID, UUID]
    marks: dict[JourneyKey, Marks]
    runs: dict[UUID, Enrolment]
    changed: set[UUID] = field(default_factory=set)
    marked: set[JourneyKey] = field(default_factory=set)

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
        return [
            run
            for run in self.runs.values()
            if run.campaign == trigger.campaign
            and self.current.get(run.person, run.person) == trigger.person
            and key in (None, run.key)
        ]

    def put(self, run: Enrolment) -> None:
        """A run as it now stands."""
        if self.runs.get(run.id) != run:
            self.runs[run.id] = run
            self.changed.add(run.id)


async def current_ids(connection: Connection, people: Iterable[UUID]) -> dict[UUID, UUID]:
    """Every id under which these people are or were known, and whom it means now."""
    rows = await connection.fetch(_SQL["aliases_of"], sorted(set(people)))
    return {row["person_id"]: row["current_id"] for row in rows}


async def lock_journeys(connection: Connection, triggers: Sequence[Trigger], current: dict[UUID, UUID]) -> Journeys:
    """The journeys of these triggers, under every id that their people had."""
    await connection.fetch(_SQL["take_turns"], [trigger.person for trigger in triggers])
    campaigns = sorted({trigger.campaign for trigger in triggers})
    people = sorted({trigger.person for trigger in triggers} | current.keys())
    marks: dict[JourneyKey, Marks] = {}
    for row in await connection.fetch(_SQL["marks_of"], campaigns, people):
        key = (row["campaign"], current.get(row["person_id"], row["person_id"]), row["key"])
        known = marks.get(key, Marks())
        known = known.entering(row["entered_at"]) if row["entered_at"] else known
        marks[key] = known.exiting(row["exited_at"]) if row["exited_at"] else known
    rows = await connection.fetch(_SQL["active_of"], campaigns, people)
    return Journeys(current, marks, {row["enrolment_id"]: _enrolment(row) for row in rows})


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


async def save_enrolments(connection: Connection, runs: Sequence[Enrolment]) -> None:
    """Write runs as they now stand."""
    if runs:
        await connection.execute(
            _SQL["save_enrolments"],
            [run.id for run in runs],
            [run.campaign for run in runs],
            [run.version for run in runs],
            [run.shop for run in runs],
            [run.person for run in runs],
            [run.key for run in runs],
            [run.started_at for run in runs],
            [run.due_at for run in runs],
            [run.position for run in runs],
            [run.status for run in runs],
            [run.ends_at for run in runs],
            [run.end_reason for run in runs],
            [run.context for run in runs],
        )


async def save_timers(connection: Connection, runs: Iterable[Enrolment], *, not_before: datetime | None = None) -> None:
    """Look again at each of these runs that is still active, when it is due, or `not_before` if that is later."""
    active = [run for run in runs if run.status == "active"]
    if active:
        await connection.execute(
            _SQL["save_timers"],
            [max(run.due_at, not_before or run.due_at) for run in active],
            [run.id for run in active],
            [run.position for run in active],
        )


async def claim_timers(connection: Connection, now: datetime, limit: int) -> list[Timer]:
    """Take at most `limit` due timers for good, unless this transaction fails."""
    rows = await connection.fetch(_SQL["claim_timers"], now, limit)
    return [Timer(row["due_at"], row["enrolment_id"], row["position"]) for row in rows]


async def next_due(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
    """When the next timer is due; None when there is none."""
    due: datetime | None = await pool.fetchval(_SQL["next_due"])
    return due


async def lock_enrolments(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Enrolment]:
    """Runs by their ids, locked."""
    rows = await connection.fetch(_SQL["lock_enrolments"], sorted(set(ids)))
    return {row["enrolment_id"]: _enrolment(row) for row in rows}


async def people_now(connection: Connection, people: Iterable[UUID]) -> dict[UUID, PersonNow]:
    """What messages need to know of these people, under the ids asked for."""
    ids = sorted(set(people))
    if not ids:
        return {}
    known = {row["person_id"]: PersonNow(facts=row["facts"]) for row in await connection.fetch(_SQL["people_now"], ids)}
    for row in await connection.fetch(_SQL["friends_of"], ids):
        known[row["person_id"]].line_users.setdefault(row["account"], row["user_id"])
    return known


async def save_decisions(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Add to the decision log."""
    if decisions:
        await connection.execute(
            _SQL["save_decisions"],
            [entry.person for entry in decisions],
            [entry.campaign for entry in decisions],
            [entry.enrolment for entry in decisions],
            [entry.step for entry in decisions],
            [entry.decision for entry in decisions],
            [entry.at for entry in decisions],
        )


def _enrolment(row: asyncpg.Record) -> Enrolment:
    return Enrolment(
        id=row["enrolment_id"],
        campaign=row["campaign"],
        version=row["version"],
        shop=row["shop"],
        person=row["person_id"],
        key=row["key"],
        started_at=row["started_at"],
        due_at=row["due_at"],
        position=row["position"],
        status=row["status"],
        ends_at=row["ends_at"],
        end_reason=row["end_reason"],
        context=row["context"],
    )
