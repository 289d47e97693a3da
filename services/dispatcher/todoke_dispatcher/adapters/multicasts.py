"""Multicasts in PostgreSQL. Every method is one statement for whole groups, on the caller's connection."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters.changes import change_columns
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.multicast import Alone, GroupState, Multicast
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "multicasts.sql")


class Fresh(NamedTuple):
    """A marketing delivery that was never attempted by itself, as it is stored; fields as in `Delivery`.

    `request` is unread. `has_blocked`: its recipient is known not to be a friend.
    """

    message_id: UUID
    request: bytes
    epoch: int
    claims: int
    attempts: int
    next_attempt_at: datetime
    expires_at: datetime | None
    has_blocked: bool


class Settled(NamedTuple):
    """A member of a group that has ended, its request unread, and what the group was told."""

    message_id: UUID
    request: bytes
    reason: str | None
    line_request_id: str | None


async def lock_fresh(connection: Connection, account: str, wall: datetime, limit: int) -> list[Fresh]:
    """Up to `limit` that wait, locked until the transaction ends; none that another dispatcher holds."""
    return [Fresh(*row) for row in await connection.fetch(_SQL["lock_fresh"], account, wall, limit)]


async def add(connection: Connection, formed: Sequence[Multicast], wall: datetime) -> None:
    """Store new groups, and in each of their members that has a row that it leaves with the group."""
    if not formed:
        return
    await connection.executemany(  # one round trip; arrays of arrays would have to be of one length
        _SQL["add_multicast"],
        [
            (
                wall,
                each.id,
                each.account,
                each.members,
                each.body,
                each.retry_key,
                each.parent,
                each.expires_at,
                each.next_attempt_at,
                each.quota_month,
                each.crowd,
                each.campaign,
            )
            for each in formed
        ],
    )
    await join(connection, [each.id for each in formed if each.crowd is None], wall)


async def join(connection: Connection, groups: Sequence[UUID], wall: datetime) -> None:
    """Let the members of new groups leave with them."""
    if groups:
        await connection.execute(_SQL["join_multicasts"], wall, groups)


async def lock_due(connection: Connection, account: str, wall: datetime, limit: int) -> list[Multicast]:
    """Up to `limit` groups that are due, locked until the transaction ends; none that another dispatcher holds."""
    return [_multicast(row) for row in await connection.fetch(_SQL["lock_due_multicasts"], account, wall, limit)]


async def recalled(
    connection: Connection, groups: Collection[Multicast], recalls: Mapping[str, datetime], formed_by: datetime
) -> set[UUID]:
    """Which of these groups are no longer wanted, of those formed no later than `formed_by`.

    `recalls`: by campaign, until when what it owed is not wanted, by the shop's time.
    """
    unsent = ((each.id, recalls.get(each.campaign or "")) for each in groups if not each.ambiguous)
    asked = {group: until for group, until in unsent if until is not None}
    if not asked:
        return set()
    columns = list(asked), list(asked.values())
    return {row["id"] for row in await connection.fetch(_SQL["recalled_multicasts"], *columns, formed_by)}


async def lock_over(connection: Connection, account: str, since: datetime, wall: datetime) -> list[Multicast]:
    """Those that LINE may have taken at `since` or before, and that nobody asks about now; locked."""
    return [_multicast(row) for row in await connection.fetch(_SQL["lock_over_multicasts"], account, since, wall)]


async def begin(connection: Connection, sent: Sequence[Multicast], wall: datetime) -> None:
    """Store groups as they go out."""
    if sent:
        await connection.execute(
            _SQL["begin_multicasts"],
            wall,
            [each.id for each in sent],
            [each.first_attempt_at for each in sent],
            [each.next_attempt_at for each in sent],
            [each.claims for each in sent],
            [each.quota_month for each in sent],
        )


async def store(connection: Connection, changed: Sequence[Multicast], wall: datetime) -> set[UUID]:
    """Store what became of groups; gives those that were still ours to change."""
    if not changed:
        return set()
    rows = await connection.fetch(
        _SQL["store_multicasts"],
        wall,
        [each.id for each in changed],
        *change_columns(changed),
    )
    return {row["id"] for row in rows}


async def settle_members(connection: Connection, groups: Sequence[UUID], state: State, wall: datetime) -> list[Settled]:
    """Let the members of these groups end in `state`, with what their group was told; gives them."""
    rows = await connection.fetch(_SQL["settle_members"], wall, groups, state.value)
    return [Settled(*row) for row in rows]


async def free_members(connection: Connection, groups: Sequence[UUID], state: State, wall: datetime) -> None:
    """Let the members of these groups go on in `state`, each for itself, without a place in the month."""
    await connection.execute(_SQL["free_members"], wall, groups, state.value)


async def leave_alone(
    connection: Connection, alone: Sequence[Alone], state: State, month: date | None, wall: datetime
) -> None:
    """Let these messages go on in `state`, each with the body of its own push and its place in `month`."""
    if alone:
        messages, bodies = [each.message_id for each in alone], [each.body for each in alone]
        await connection.execute(_SQL["leave_alone"], wall, state.value, messages, bodies, month)


def _multicast(row: asyncpg.Record) -> Multicast:
    # A query that forgot the crowd would lose its members: it is asked for by name.
    given = {**row, "members": tuple(row["members"]), "state": GroupState(row["state"]), "crowd": row["crowd"]}
    return Multicast(**given)
