"""What is unknown, and what operators decide about it. On the caller's connection, in its transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.adapters import deliveries
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_dispatcher.domain.settling import Decision
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "settlements.sql")


@dataclass(frozen=True)
class Unknown:
    """A message that waits for an operator. `multicast_id`, `reply_id`: what it left in, `together` with so many."""

    message_id: UUID
    account: str
    lane: str
    campaign: str | None
    step: str | None
    person_id: UUID | None
    multicast_id: UUID | None
    reply_id: UUID | None
    first_attempt_at: datetime
    changed_at: datetime
    attempts: int
    reason: str | None
    together: int


@dataclass(frozen=True)
class Settlement:
    """Who decided what, why and when (wall)."""

    decision: Decision
    by: str
    reason: str
    at: datetime


async def list_unknown(connection: Connection, account: str | None, limit: int) -> tuple[list[Unknown], int]:
    """Up to `limit` messages, those that wait longest first; and how many there are."""
    rows = [dict(row) for row in await connection.fetch(_SQL["unknown_deliveries"], account, limit)]
    number = rows[0]["all_unknown"] if rows else 0
    return [Unknown(**{name: row[name] for name in Unknown.__dataclass_fields__}) for row in rows], number


async def lock_named(connection: Connection, name: UUID) -> list[Delivery]:
    """The message of this id, or those of the multicast or reply of this id; locked until the transaction ends."""
    return [deliveries.delivery_of(row) for row in await connection.fetch(_SQL["lock_named"], name)]


async def store(connection: Connection, unknown: Sequence[Delivery], state: State, settled: Settlement) -> None:
    """Write the decision down, and carry it out: `state` is where it leads."""
    messages = [each.message_id for each in unknown]
    epochs = [each.epoch for each in unknown]
    words = settled.decision.value, settled.by, settled.reason
    await connection.execute(_SQL["note_settlements"], settled.at, *words, messages, epochs)
    if settled.decision is Decision.RESEND:
        await deliveries.resend(connection, messages, settled.at)
        return
    told = f"{settled.by}: {settled.reason}"
    await connection.execute(_SQL["end_unknown"], messages, settled.at, state.value, told)
