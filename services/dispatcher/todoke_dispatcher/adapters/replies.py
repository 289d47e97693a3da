"""Reply tokens and replies in PostgreSQL. Every method is a statement or two on the caller's connection."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from todoke_dispatcher.adapters.deliveries import read_deliveries
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_dispatcher.domain.reply import Reply, Token
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "replies.sql")


class SettledRider(NamedTuple):
    """A message of a reply that has ended, its request unread, and what the reply was told."""

    message_id: UUID
    request: bytes
    reason: str | None
    line_request_id: str | None
    lane: Lane


async def add_tokens(connection: Connection, tokens: Iterable[Token]) -> None:
    """Keep tokens, each event's once. `tokens` hold no event twice."""
    ordered = sorted(tokens, key=lambda token: token.event)  # so that two consumers wait for each other in one order
    if ordered:
        await connection.execute(
            _SQL["add_tokens"],
            [token.event for token in ordered],
            [token.account for token in ordered],
            [token.user for token in ordered],
            [token.token for token in ordered],
            [token.received_at for token in ordered],
            [token.usable_until for token in ordered],
        )


async def find_tokens(connection: Connection, account: str, users: Collection[str], wall: datetime) -> list[Token]:
    """The tokens that may be spent on these people now."""
    return [Token(**row) for row in await connection.fetch(_SQL["find_tokens"], account, list(users), wall)]


async def find_idle(
    connection: Connection, accounts: Collection[str], before: datetime, wall: datetime, limit: int
) -> dict[str, set[str]]:
    """By account, people whose token has come before `before` and for whom something waits. Only of open channels."""
    idle: dict[str, set[str]] = {}
    for row in await connection.fetch(_SQL["find_idle"], sorted(accounts), before, wall, limit):
        idle.setdefault(row["account"], set()).add(row["user_id"])
    return idle


async def lock_riders(connection: Connection, account: str, tokens: Sequence[Token], wall: datetime) -> list[Delivery]:
    """The first few messages of each token's person that may ride, the most urgent first, locked as `lock_due` locks.

    What this release cannot read stays where it is.
    """
    users, since = [token.user for token in tokens], [token.answered_from for token in tokens]
    riders, _ = read_deliveries(await connection.fetch(_SQL["lock_riders"], account, users, since, wall))
    return riders


async def take_tokens(connection: Connection, events: Sequence[UUID]) -> set[UUID]:
    """Make these events' tokens ours alone, and forget them; gives those that nobody else had taken."""
    return {row["event_key"] for row in await connection.fetch(_SQL["take_tokens"], events)}


async def return_tokens(connection: Connection, unused: Iterable[tuple[UUID, str]]) -> None:
    """Put tokens back, by their events, of which LINE has never heard."""
    events, tokens = zip(*unused, strict=True)
    await connection.execute(_SQL["return_tokens"], events, tokens)


async def add(connection: Connection, replies: Sequence[Reply], told_until: datetime, wall: datetime) -> None:
    """Store new replies, and in each of their messages that it leaves with the reply."""
    if not replies:
        return
    await connection.executemany(  # one round trip; arrays of arrays would have to be of one length
        _SQL["add_reply"],
        [(wall, each.id, each.account, each.event, each.members, each.body, told_until) for each in replies],
    )
    await connection.execute(_SQL["join_replies"], wall, [each.id for each in replies])


async def lock_lost(connection: Connection, wall: datetime, limit: int) -> list[Reply]:
    """Replies that nobody has told of in time, locked until the transaction ends."""
    rows = await connection.fetch(_SQL["lock_lost"], wall, limit)
    return [Reply(**{**row, "members": tuple(row["members"])}) for row in rows]


async def store(connection: Connection, changed: Sequence[Reply], wall: datetime) -> set[UUID]:
    """Store how replies ended; gives those of which nobody had told before."""
    if not changed:
        return set()
    rows = await connection.fetch(
        _SQL["store_replies"],
        wall,
        [each.id for each in changed],
        [each.state.value for each in changed],
        [each.attempts for each in changed],
        [each.reason for each in changed],
        [each.line_request_id for each in changed],
    )
    return {row["id"] for row in rows}


async def settle_riders(
    connection: Connection, replies: Sequence[UUID], state: State, wall: datetime
) -> list[SettledRider]:
    """Let the messages of these replies end in `state`, with what their reply was told; gives them."""
    return [SettledRider(*row) for row in await connection.fetch(_SQL["settle_riders"], wall, replies, state.value)]


async def free_riders(connection: Connection, replies: Sequence[UUID], state: State, wall: datetime) -> None:
    """Let the messages of these replies go on in `state`, each for itself."""
    if replies:
        await connection.execute(_SQL["free_riders"], wall, replies, state.value)


async def purge_tokens(connection: Connection, wall: datetime) -> None:
    """Forget the tokens that are over."""
    await connection.execute(_SQL["purge_tokens"], wall)
