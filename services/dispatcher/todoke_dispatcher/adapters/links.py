"""Tracked links in PostgreSQL: many are stored in one statement, and a message's link keeps its token for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.domain.links import new_token
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "links.sql")


@dataclass(frozen=True, slots=True)
class MessageLink:
    """Which link of which message: the `place`th, from 0; and whose message it is."""

    message: UUID
    place: int
    account: str
    lane: Lane
    person: UUID | None = None
    enrolment: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to store. `destination` has passed `check_destination`; `message` is None for one that anybody follows.

    `expires_at` is the shop's time.
    """

    destination: str
    shop: str = "main"
    campaign: str | None = None
    step: str | None = None
    message: MessageLink | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link of no message, as it is listed."""

    token: str
    destination: str
    shop: str
    campaign: str | None
    step: str | None
    created_at: datetime
    expires_at: datetime | None


async def store(connection: Connection, links: Sequence[NewLink], now: datetime) -> list[str]:
    """Store links and give their tokens, in order. A message's link that is known keeps the token it has.

    Each place of a message once in a call. Call it in the transaction that stores the message's body: until then a
    message may be rendered anew, and its links follow the newest rendering; what has gone out never is.
    """
    if not links:
        return []
    of = [link.message for link in links]
    proposed = [new_token() for _ in links]
    rows = await connection.fetch(
        _SQL["store_links"],
        now,
        proposed,
        [link.destination for link in links],
        [link.shop for link in links],
        [link.campaign for link in links],
        [link.step for link in links],
        [link.expires_at for link in links],
        [message and message.message for message in of],
        [message.place if message else None for message in of],
        [message and message.account for message in of],
        [message and message.lane for message in of],
        [message and message.person for message in of],
        [message and message.enrolment for message in of],
    )
    kept = {(row["message_id"], row["place"]): str(row["token"]) for row in rows}
    return [
        kept[message.message, message.place] if message else token for message, token in zip(of, proposed, strict=True)
    ]


async def listed(connection: Connection, most: int) -> list[StoredLink]:
    """The newest links of no message."""
    return [StoredLink(**dict(row)) for row in await connection.fetch(_SQL["listed_links"], most)]
