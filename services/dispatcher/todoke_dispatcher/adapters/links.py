"""Tracked links in PostgreSQL: many are stored in one statement, and a message's link keeps its token for ever.

Three kinds: of one message, so that a click is somebody's; shared by all copies of a message; and of no message at all.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from todoke_dispatcher.domain.links import new_token
from todoke_shared.contracts.requests import Lane
from todoke_shared.ids import shared_link_id
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

    `expires_at` is the shop's time. `token`: the one that it gets if it is new; None: any.
    """

    destination: str
    shop: str = "main"
    campaign: str | None = None
    step: str | None = None
    message: MessageLink | None = None
    expires_at: datetime | None = None
    token: str | None = None


class SharedLink(NamedTuple):
    """The `place`th link of a message of a campaign's version, where all copies of the message share it.

    `destination` has passed `check_destination`. `step`: under which its clicks are counted.
    """

    shop: str
    account: str
    lane: Lane
    campaign: str
    version: int
    message: str
    step: str
    place: int
    destination: str

    @property
    def id(self) -> UUID:
        """Its identity in the whole installation."""
        return shared_link_id(*self)


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
    proposed = [link.token or new_token() for link in links]
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


async def share(connection: Connection, links: Collection[SharedLink], now: datetime) -> dict[SharedLink, str]:
    """Make those of these links that nobody has made yet; gives the tokens of all.

    Call it outside a transaction: what it gives is remembered, and must be there for good.
    """
    by_id = {link.id: link for link in links}
    await connection.execute(
        _SQL["share_links"],
        now,
        [new_token() for _ in by_id],
        [link.destination for link in by_id.values()],
        [link.shop for link in by_id.values()],
        [link.campaign for link in by_id.values()],
        [link.step for link in by_id.values()],
        [link.account for link in by_id.values()],
        [link.lane for link in by_id.values()],
        list(by_id),
    )
    return {by_id[row["shared"]]: row["token"] for row in await connection.fetch(_SQL["shared_tokens"], list(by_id))}


async def listed(connection: Connection, most: int) -> list[StoredLink]:
    """The newest links of no message."""
    return [StoredLink(**dict(row)) for row in await connection.fetch(_SQL["listed_links"], most)]
