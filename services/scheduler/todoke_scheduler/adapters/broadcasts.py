"""Broadcasts in PostgreSQL: what is planned, how far each has come, and its audience, a chunk of ids at a time.

May block: on PostgreSQL. May lose: nothing; a chunk is one transaction, in which its broadcast is locked.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from todoke_scheduler.domain.broadcasts import Broadcast, BroadcastState, Stretch
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.conditions import Compare
from todoke_shared.contracts.requests import OwnCrowd, OwnRequest
from todoke_shared.ids import broadcast_id
from todoke_shared.people import TOKYO, PersonState, decode_state
from todoke_shared.people.conditions import Compiled, Moment, compile_condition
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection, shard_of

_SQL = load_queries("todoke_scheduler.adapters", "broadcasts.sql")
_OPERANDS = 6
"""The number of the first parameter of a condition in `audience`."""
_REFUSES = compile_condition(Compare("consent.marketing", "is", False))
_AGREES = compile_condition(Compare("consent.marketing", "is", True))
_NOTHING = PersonState()


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A campaign in force that has a schedule, and when that version was published (real time)."""

    campaign: str
    version: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """An occurrence that has not begun, and the version of its campaign that is in force."""

    id: UUID
    campaign: str
    version: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A broadcast that was stopped, and how many people had entered by then."""

    id: UUID
    campaign: str
    due_at: datetime
    entered: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A broadcast as an operator sees it. Of those who entered, `holdout` are compared and `left_out` get nothing."""

    id: UUID
    campaign: str
    due_at: datetime
    state: BroadcastState
    reason: str | None
    cursor: UUID
    next_at: datetime
    rate: int | None
    entered: int
    holdout: int
    left_out: int
    started_at: datetime | None
    ended_at: datetime | None
    paused_since: datetime | None


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """Somebody of the audience, reached under the id `reached`. `consents` to marketing; None: nobody has asked.

    `state`: all that is known of them, where it was asked for.
    """

    reached: UUID
    person: UUID
    shop: str
    user_id: str
    consents: bool | None
    state: PersonState


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a broadcast is for: friends of the account of whom the condition holds (None: all). `state`: read it too."""

    account: str
    condition: Compiled | None
    state: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch that was read: its last id, how many ids it has, and who of them is in the audience."""

    end: UUID
    ids: int
    people: list[Recipient]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a chunk adds to the counts of its broadcast."""

    looked_at: int = 0
    entered: int = 0
    holdout: int = 0
    left_out: int = 0


async def scheduled(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Scheduled]:
    """The campaigns in force that have a schedule."""
    return [Scheduled(**dict(row)) for row in await pool.fetch(_SQL["scheduled"])]


async def planned(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Planned]:
    """The occurrences that have not begun."""
    return [Planned(*row) for row in await pool.fetch(_SQL["planned"])]


async def plan(pool: "asyncpg.Pool[asyncpg.Record]", occurrences: Sequence[tuple[str, datetime]]) -> None:
    """Have these campaigns go at these instants, once each, whoever says so and however often."""
    if occurrences:
        ids = [broadcast_id(campaign, due_at) for campaign, due_at in occurrences]
        names, instants = [name for name, _ in occurrences], [due_at for _, due_at in occurrences]
        await pool.execute(_SQL["plan"], ids, names, instants)


async def expect(pool: "asyncpg.Pool[asyncpg.Record]", campaign: str, due_at: datetime, messages: int) -> None:
    """Keep how many messages an occurrence will come to, unless it has begun."""
    await pool.execute(_SQL["expect"], broadcast_id(campaign, due_at), messages)


async def unplan(pool: "asyncpg.Pool[asyncpg.Record]", ids: Sequence[UUID]) -> None:
    """Forget these, if they have not begun."""
    if ids:
        await pool.execute(_SQL["unplan"], ids)


async def claim(connection: Connection, now: datetime) -> Broadcast | None:
    """A broadcast that can go on now and that nobody is at work on: locked until this transaction ends."""
    row = await connection.fetchrow(_SQL["claim"], now)
    if row is None:
        return None
    return Broadcast(
        id=row["broadcast_id"],
        campaign=row["campaign"],
        due_at=row["due_at"],
        state=row["state"],
        version=row["version"],
        cursor=row["cursor"],
        next_at=row["next_at"],
        rate=row["rate"],
        opened_at=row["opened_at"],
        opened_from=row["opened_from"],
        started_at=row["started_at"],
    )


async def move(
    connection: Connection,
    broadcast: Broadcast,
    tally: Tally = Tally(),
    *,
    ended_at: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Write a broadcast as it now stands."""
    await connection.execute(
        _SQL["move"],
        broadcast.id,
        broadcast.state,
        broadcast.version,
        broadcast.cursor,
        broadcast.next_at,
        broadcast.rate,
        broadcast.opened_at,
        broadcast.opened_from,
        broadcast.started_at,
        ended_at,
        reason,
        tally.looked_at,
        tally.entered,
        tally.holdout,
        tally.left_out,
    )


async def put_off(pool: "asyncpg.Pool[asyncpg.Record]", broadcast: UUID, until: datetime) -> None:
    """Leave a broadcast alone until then, if it is not over."""
    await pool.execute(_SQL["put_off"], broadcast, until)


async def read_chunk(connection: Connection, stretch: Stretch, asked: Asked, now: datetime) -> Chunk:
    """The next ids, and who of them is in the audience at `now`."""
    query, operands = _audience(asked, now)
    rows = await connection.fetch(
        query, stretch.after, stretch.up_to, stretch.ids, asked.account, asked.state, *operands
    )
    if not rows:
        return Chunk(stretch.up_to, 0, [])
    reached = [
        Recipient(r[0], r[1], r[2], r[3], False if r[4] else True if r[5] else None, _state(r[6])) for r in rows if r[7]
    ]
    if len(reached) > stretch.people:
        end = rows[stretch.people - 1]
        return Chunk(end["person_id"], end["place"], reached[: stretch.people])
    last = rows[-1]
    return Chunk(stretch.up_to if last["place"] < stretch.ids else last["person_id"], last["place"], reached)


def _audience(asked: Asked, now: datetime) -> tuple[str, list[object]]:
    """The query and its operands. What stands in its text is of our own words."""
    moment, operands, query = Moment.at(now, TOKYO), list[object](), _SQL["audience"]
    for place, condition in (
        ("AND true AS", asked.condition),
        ("true AS refuses", _REFUSES),
        ("true AS agrees", _AGREES),
    ):
        if condition is not None:
            sql = condition.sql(moment, state="p.state", first=_OPERANDS + len(operands))
            query = query.replace(place, place.replace("true", sql.text))
            operands += sql.parameters
    return query, operands


def _state(text: str | None) -> PersonState:
    return _NOTHING if text is None else decode_state(text)


async def entered_already(connection: Connection, runs: Iterable[UUID]) -> set[UUID]:
    """Which of these runs there are."""
    ids = list(runs)
    return {row["enrolment_id"] for row in await connection.fetch(_SQL["entered_already"], ids)} if ids else set()


async def entered_since(connection: Connection, campaign: str, people: Sequence[UUID], since: datetime) -> set[UUID]:
    """Which of these people have entered a campaign since."""
    if not people:
        return set()
    return {row["person_id"] for row in await connection.fetch(_SQL["entered_since"], campaign, people, since)}


async def enrol_at_once(connection: Connection, runs: Sequence[Enrolment], steps: int) -> None:
    """Add new runs of one campaign and instant whose `steps` are done; they differ in person and holdout alone."""
    if runs:
        one = runs[0]
        await connection.execute(
            _SQL["enrol_at_once"],
            one.campaign,
            one.version,
            one.started_at,
            steps,
            one.ends_at,
            one.end_reason,
            [run.id for run in runs],
            [run.shop for run in runs],
            [run.person for run in runs],
            [run.holdout for run in runs],
        )


async def ask(connection: Connection, topic: str, requests: Iterable[OwnRequest | OwnCrowd]) -> None:
    """Put requests of one topic into the outbox: a person's by the person, a crowd's by the crowd."""
    keyed = [(str(each.id if isinstance(each, OwnCrowd) else each.person).encode(), each) for each in requests]
    if keyed:
        keys, values = [key for key, _ in keyed], [each.to_json() for _, each in keyed]
        await connection.execute(_SQL["ask"], topic, list(map(shard_of, keys)), keys, values)


async def cancel(pool: "asyncpg.Pool[asyncpg.Record]", name: str, now: datetime) -> list[Cancelled]:
    """Stop broadcasts that are not over: the one of this id, or all of the campaign of this name.

    Waits for a chunk under way, so that nobody enters once it has returned. What the dispatcher has of them and has not
    sent, it drops; of those that were over within the day, too.
    """
    return [Cancelled(*row) for row in await pool.fetch(_SQL["cancel"], name, now)]


async def list_broadcasts(pool: "asyncpg.Pool[asyncpg.Record]", over: int) -> list[Listed]:
    """What is planned or under way, and the last `over` of the others; the newest first."""
    fields = {field.name for field in dataclasses.fields(Listed)}
    rows = await pool.fetch(_SQL["list_broadcasts"], over)
    return [Listed(id=row["broadcast_id"], **{name: row[name] for name in fields - {"id"}}) for row in rows]
