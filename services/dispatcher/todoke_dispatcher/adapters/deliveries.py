"""The delivery ledger in PostgreSQL. Every method is one statement on the caller's connection, in its transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters.changes import change_columns
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.errors import BadMessageError
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "deliveries.sql")


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it was read: the model, and the record's value to keep."""

    request: MessageRequest
    value: bytes


async def add(connection: Connection, lane: Lane, received: Sequence[Received], wall: datetime) -> None:
    """Enter messages into the ledger, by microseconds in the order given; those it knows stay as they are."""
    placed = sorted(enumerate(received, 1 - len(received)), key=lambda each: each[1].request.id)
    ordered = [each for _, each in placed]
    requests = [each.request for each in ordered]
    await connection.execute(
        _SQL["add_deliveries"],
        lane,
        wall,
        [request.id for request in requests],
        [request.account for request in requests],
        [request.shop for request in requests],
        [request.to for request in requests],
        [request.person for request in requests],
        [request.campaign for request in requests],
        [request.step for request in requests],
        [request.enrolment for request in requests],
        [each.value for each in ordered],
        [request.expires_at and request.expires_at.astimezone(UTC) for request in requests],
        [wall + timedelta(microseconds=place) for place, _ in placed],
    )


async def lock_due(
    connection: Connection, account: str, wall: datetime, limit: int
) -> tuple[list[Delivery], list[UUID]]:
    """Up to `limit` deliveries that are due, locked until the transaction ends; none that another dispatcher holds.

    The second list are those whose stored request this release cannot read.
    """
    return read_deliveries(await connection.fetch(_SQL["lock_due"], account, wall, limit))


async def lock_over(connection: Connection, account: str, since: datetime, wall: datetime) -> list[Delivery]:
    """Those that LINE may have taken at `since` or before, and that nobody asks about now; locked.

    What this release cannot read is left to one that can.
    """
    return read_deliveries(await connection.fetch(_SQL["lock_over"], account, since, wall))[0]


def read_deliveries(rows: Iterable[asyncpg.Record]) -> tuple[list[Delivery], list[UUID]]:
    """Rows as `lock_due` gives them, and the message ids of those whose request this release cannot read."""
    due: list[Delivery] = []
    unreadable: list[UUID] = []
    for row in rows:
        try:
            due.append(delivery_of(row))
        except BadMessageError:
            unreadable.append(row["message_id"])
    return due, unreadable


async def put_off(connection: Connection, messages: Sequence[UUID], until: datetime) -> None:
    """Look at these again at `until`, and not before."""
    if messages:
        await connection.execute(_SQL["put_off"], messages, until)


async def blocked(connection: Connection, deliveries: Iterable[Delivery]) -> set[tuple[str, str]]:
    """Account and user id of the recipients who are known not to be friends."""
    people = sorted({(each.request.shop, each.request.account, each.request.to) for each in deliveries})
    if not people:
        return set()
    rows = await connection.fetch(_SQL["blocked"], *(list(column) for column in zip(*people, strict=True)))
    return {(row["account"], row["user_id"]) for row in rows}


async def begin(connection: Connection, sent: Sequence[Delivery], wall: datetime) -> None:
    """Store deliveries as they go out."""
    if sent:
        await connection.execute(
            _SQL["begin_attempts"],
            wall,
            [each.message_id for each in sent],
            [each.retry_key for each in sent],
            [each.body for each in sent],
            [each.first_attempt_at for each in sent],
            [each.next_attempt_at for each in sent],
            [each.claims for each in sent],
            [each.quota_month for each in sent],
        )


async def store(connection: Connection, changed: Sequence[Delivery], wall: datetime) -> set[UUID]:
    """Store what became of deliveries; gives those that were still ours to change."""
    if not changed:
        return set()
    rows = await connection.fetch(
        _SQL["store_changes"],
        wall,
        [each.message_id for each in changed],
        *change_columns(changed),
    )
    return {row["message_id"] for row in rows}


async def release_held(  # noqa: PLR0913 - whose, and how many
    connection: Connection, account: str, lane: Lane, *, wall: datetime, limit: int, rooms: Mapping[str, int]
) -> int:
    """Let up to `limit` held deliveries of a lane wait again, the oldest first; gives how many.

    `rooms`: how many at most of campaigns that have a budget.
    """
    columns = list(rooms), list(rooms.values())
    return len(await connection.fetch(_SQL["release_held"], account, lane, wall, limit, *columns))


async def release_expired(connection: Connection, now: datetime, wall: datetime, limit: int) -> int:
    """Let up to `limit` held deliveries that have expired by the shop's time `now` wait again, to be dropped."""
    return len(await connection.fetch(_SQL["release_expired"], now, wall, limit))


async def resend(connection: Connection, messages: Sequence[UUID], wall: datetime) -> set[UUID]:
    """Carry out an operator's decision to send `unknown` messages as new ones; gives those that were unknown."""
    return {row["message_id"] for row in await connection.fetch(_SQL["resend_unknown"], messages, wall)}


async def count_unsettled(connection: Connection) -> dict[str, int]:
    """How many deliveries wait or are under way, by lane."""
    return {row["lane"]: row["deliveries"] for row in await connection.fetch(_SQL["count_unsettled"])}


def delivery_of(row: asyncpg.Record) -> Delivery:
    return Delivery(
        message_id=row["message_id"],
        lane=row["lane"],
        request=MessageRequest.from_json(row["request"]),
        state=State(row["state"]),
        epoch=row["epoch"],
        retry_key=row["retry_key"],
        body=row["body"],
        ambiguous=row["ambiguous"],
        first_attempt_at=row["first_attempt_at"],
        next_attempt_at=row["next_attempt_at"],
        attempts=row["attempts"],
        claims=row["claims"],
        quota_month=row["quota_month"],
        reason=row["reason"],
        line_request_id=row["line_request_id"],
    )
