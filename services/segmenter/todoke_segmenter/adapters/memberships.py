"""Memberships in PostgreSQL, beside the state in a person's row; and who has to be looked at without an event."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from todoke_segmenter.domain.segments import Membership
from todoke_shared.people import PersonState, decode_state
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "memberships.sql")
_SINCE = msgspec.json.Decoder(dict[str, datetime])
_ENCODER = msgspec.json.Encoder()
_NOTHING = "{}"


@dataclass(frozen=True)
class Claimed:
    """A person locked for the clock, as they were stored."""

    person: UUID
    shop: str
    state: PersonState
    membership: Membership


def read_membership(row: asyncpg.Record, state: PersonState) -> Membership:
    """From a row of `people` that has the columns of a membership."""
    revision = row["segments_revision"]
    return Membership(
        since=_read(row["segments"]),
        left=_read(row["segments_left"]),
        revision=revision,
        checked_at=row["checked_at"],
        next_check_at=row["next_check_at"],
        asked_of=None if revision is None else state,
    )


def membership_columns(memberships: Collection[Membership]) -> list[list[object]]:
    """As `save` statements take them: segments and those left (NULL: as they are), revision, checked, next check."""
    return [
        [_written(one.since) if one.has_moved else None for one in memberships],
        [_written(one.left) if one.has_moved else None for one in memberships],
        [one.revision for one in memberships],
        [one.checked_at for one in memberships],
        [one.next_check_at for one in memberships],
    ]


async def claim_due(connection: Connection, now: datetime, limit: int) -> list[Claimed]:
    """People whom the clock has to look at, locked until the transaction ends; those locked already are passed over."""
    return _claimed(await connection.fetch(_SQL["claim_due"], now, limit))


async def claim_outdated(connection: Connection, revision: int, limit: int) -> list[Claimed]:
    """People who were not asked since something was published, likewise."""
    return _claimed(await connection.fetch(_SQL["claim_outdated"], revision, limit))


async def save_memberships(connection: Connection, claimed: Sequence[Claimed]) -> None:
    """Write what became of them."""
    dirty = [one for one in claimed if one.membership.is_dirty]
    if dirty:
        people = [one.person for one in dirty]
        columns = membership_columns([one.membership for one in dirty])
        await connection.execute(_SQL["save_memberships"], people, *columns)


async def next_check(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
    """When the clock has to look next."""
    instant: datetime | None = await pool.fetchval(_SQL["next_check"])
    return instant


def _claimed(rows: Sequence[asyncpg.Record]) -> list[Claimed]:
    people = []
    for row in rows:
        state = decode_state(row["state"])
        people.append(Claimed(row["person_id"], row["shop"], state, read_membership(row, state)))
    return people


def _read(text: str) -> dict[str, datetime]:
    return _SINCE.decode(text) if text != _NOTHING else {}


def _written(since: dict[str, datetime]) -> str:
    return _ENCODER.encode(since).decode()
