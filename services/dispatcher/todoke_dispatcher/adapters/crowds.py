"""Crowds in PostgreSQL. Every method is on the caller's connection, in its transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from todoke_dispatcher.adapters import deliveries, multicasts
from todoke_dispatcher.adapters.deliveries import Received
from todoke_dispatcher.domain.crowd import Crowd, Member
from todoke_dispatcher.domain.multicast import Multicast
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "crowds.sql")


async def add(connection: Connection, crowds: Iterable[Crowd], wall: datetime) -> None:
    """Enter crowds into the ledger; those it knows stay as they are."""
    ordered = sorted(crowds, key=lambda each: each.id)
    if ordered:
        await connection.executemany(  # one round trip; arrays of arrays would have to be of one length
            _SQL["add_crowd"],
            [
                (
                    wall,
                    each.id,
                    each.account,
                    each.shop,
                    each.campaign,
                    each.step,
                    *_columns(each.members),
                    each.request,
                    each.expires_at and each.expires_at.astimezone(UTC),
                )
                for each in ordered
            ],
        )


async def lock_waiting(connection: Connection, account: str, wall: datetime, limit: int) -> list[Crowd]:
    """Up to `limit` that wait, locked until the transaction ends; none that another dispatcher holds."""
    return [_crowd(row) for row in await connection.fetch(_SQL["lock_waiting_crowds"], account, wall, limit)]


async def blocked(connection: Connection, crowds: Collection[UUID]) -> dict[UUID, set[str]]:
    """The user ids of those who are known not to be friends, by crowd."""
    found: dict[UUID, set[str]] = {}
    for row in await connection.fetch(_SQL["blocked_in_crowds"], crowds) if crowds else ():
        found.setdefault(row["id"], set()).add(row["user_id"])
    return found


async def put_off(connection: Connection, crowds: Collection[UUID], until: datetime) -> None:
    """Look at these again at `until`, and not before."""
    if crowds:
        await connection.execute(_SQL["put_off_crowds"], crowds, until)


async def part(connection: Connection, crowd: Crowd, left: Iterable[Member], wall: datetime) -> None:
    """Let some members go on by themselves; `crowd` is what remains."""
    await deliveries.add(connection, "marketing", _received(crowd, left), wall)
    await connection.execute(_SQL["shrink_crowd"], crowd.id, *_columns(crowd.members))


async def form(connection: Connection, formed: Sequence[Multicast], wall: datetime) -> None:
    """Store the multicasts in which crowds leave."""
    await multicasts.add(connection, formed, wall)
    if formed:
        await connection.execute(_SQL["form_crowds"], wall, [each.crowd for each in formed], [one.id for one in formed])


async def accept(connection: Connection, crowds: Collection[UUID], wall: datetime) -> list[tuple[str, int]]:
    """LINE has taken the members of these; gives each one's campaign and how many they are."""
    rows = await connection.fetch(_SQL["accept_crowds"], wall, crowds) if crowds else ()
    return [(row["campaign"] or "", row["messages"]) for row in rows]


async def open_all(connection: Connection, crowds: Mapping[UUID, UUID | None], wall: datetime) -> None:
    """Give the members of these crowds rows of their own; if a crowd has left, as members of its multicast."""
    if not crowds:
        return
    for row in await connection.fetch(_SQL["crowds_to_open"], sorted(crowds)):
        crowd = _crowd(row)
        await deliveries.add(connection, "marketing", _received(crowd, crowd.members), row["received_at"])
    groups = [group for group in crowds.values() if group is not None]
    await multicasts.join(connection, groups, wall)
    await connection.fetch(_SQL["open_crowds"], wall, sorted(crowds), groups)


class Taken(NamedTuple):
    """A crowd that LINE has taken, and what it said."""

    crowd: Crowd
    reason: str | None
    line_request_id: str | None


async def lock_untold(connection: Connection, limit: int) -> list[Taken]:
    """Up to `limit` that LINE has taken and whose outcomes are still to be told."""
    rows = await connection.fetch(_SQL["lock_untold"], limit)
    return [Taken(_crowd(row), row["reason"], row["line_request_id"]) for row in rows]


async def told(connection: Connection, crowds: Collection[UUID]) -> None:
    """The outcomes of these are in the outbox."""
    await connection.execute(_SQL["told"], crowds)


def _received(crowd: Crowd, members: Iterable[Member]) -> list[Received]:
    values = [crowd.request_of(member) for member in members]
    return [Received(MessageRequest.from_json(value), value) for value in values]


def _columns(members: Sequence[Member]) -> tuple[list[object], ...]:
    return (
        [member.id for member in members],
        [member.to for member in members],
        [member.person for member in members],
        [member.enrolment for member in members],
    )


def _crowd(row: asyncpg.Record) -> Crowd:
    members = zip(row["message_ids"], row["user_ids"], row["people"], row["enrolments"], strict=True)
    return Crowd(
        row["id"],
        row["account"],
        row["shop"],
        row["campaign"],
        row["step"],
        tuple(Member(*member) for member in members),
        row["request"],
        row["expires_at"],
    )
