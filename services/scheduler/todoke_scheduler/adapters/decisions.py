"""The decision log in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "decisions.sql")


@dataclass(frozen=True)
class Decision:
    """A line of the decision log: in words, why something was not done."""

    person: UUID
    campaign: str
    decision: str
    at: datetime
    enrolment: UUID | None = None
    step: str | None = None


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
