"""Enrolments in PostgreSQL, a batch at a time."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "enrolments.sql")


async def save_enrolments(connection: Connection, runs: Sequence[Enrolment]) -> None:
    """Write runs as they now stand, new ones among them. Of a run that is there, only what may change is written."""
    if not runs:
        return
    moved = await connection.execute(
        _SQL["move_enrolments"],
        [run.id for run in runs],
        [run.due_at for run in runs],
        [run.position for run in runs],
        [run.status for run in runs],
        [run.ends_at for run in runs],
        [run.end_reason for run in runs],
    )
    if moved != f"UPDATE {len(runs)}":
        await _add_enrolments(connection, runs)


async def note_enrolments(connection: Connection, runs: Sequence[Enrolment]) -> None:
    """Write of runs that are there what few of them change: their version, notes and arms."""
    if runs:
        await connection.execute(
            _SQL["note_enrolments"],
            [run.id for run in runs],
            [run.version for run in runs],
            [run.notes for run in runs],
            [run.arms for run in runs],
        )


async def _add_enrolments(connection: Connection, runs: Sequence[Enrolment]) -> None:
    await connection.execute(
        _SQL["add_enrolments"],
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
        [run.holdout for run in runs],
        [run.notes for run in runs],
        [run.arms for run in runs],
    )


async def lock_enrolments(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Enrolment]:
    """Runs by their ids, locked."""
    rows = await connection.fetch(_SQL["lock_enrolments"], sorted(set(ids)))
    return {row["enrolment_id"]: enrolment_of(row) for row in rows}


def enrolment_of(row: asyncpg.Record) -> Enrolment:
    """A row of the table."""
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
        holdout=row["holdout"],
        notes=row["notes"],
        arms=row["arms"],
    )
