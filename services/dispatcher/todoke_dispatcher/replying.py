"""Messages whose person has a reply token -> replies, stored and on their way, free of charge.

Costs one indexed query where nobody concerned has a token.
May block: on PostgreSQL.
May lose: nothing. A crash before the commit leaves messages and tokens as they were; one after it leaves the messages
unknown, since nobody can ask LINE about a reply (domain/reply.py).
Order of locks, the same everywhere: deliveries, tokens, the rate of replies, then what pushes lock (claiming.py).
"""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from todoke_dispatcher.adapters import channels, deliveries, replies
from todoke_dispatcher.claiming import Attempt, ClaimTime, sort_due
from todoke_dispatcher.domain.decide import Channel
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.grouping import Candidate
from todoke_dispatcher.domain.reply import (
    IDLE,
    TOLD_WITHIN,
    Reply,
    Token,
    Waiting,
    choose,
    form_reply,
    may_ride,
    reply_body,
)
from todoke_dispatcher.missing import Missing
from todoke_dispatcher.multicasting import GroupAttempt
from todoke_dispatcher.templates import Templates
from todoke_shared.postgres.stream import Connection

RATE = 2000
"""LINE's limit of replies a second (LINE-API.md: rate limits)."""
REST = timedelta(seconds=30)
"""While LINE gives no clear answers a push, which can be repeated, is worth its price: replies would end unknown."""
IDLE_AT_ONCE = 200
"""People for whom an idle token is looked at in one go; the others' turn comes within a second."""


@dataclass(frozen=True, slots=True)
class ReplyAttempt:
    """A reply on its way: as it is stored, the token that it spends, and the instant (wall) that is its own."""

    sent: Reply
    token: str = field(repr=False)
    slot: datetime

    @property
    def account(self) -> str:
        """Whose messages they are."""
        return self.sent.account

    @property
    def body(self) -> bytes:
        """The exact body of the request."""
        return reply_body(self.token, self.sent.body)


AnyAttempt = Attempt | GroupAttempt | ReplyAttempt
Sendable = TypeVar("Sendable", tuple[Delivery, bytes], Candidate)


@dataclass(frozen=True, slots=True)
class Riding:
    """What leaves with replies. `missing`: without which nothing was begun."""

    attempts: list[ReplyAttempt] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    taken: AbstractSet[UUID] = frozenset()
    """Messages that are not to leave otherwise now: they ride, or their reply waits for a time slot."""


def left_by(riding: Riding, sendable: Sequence[Sendable]) -> list[Sendable]:
    """Those that do not ride."""
    return [each for each in sendable if _message_id(each) not in riding.taken]


def waiting_of(sendable: Iterable[tuple[Delivery, bytes]]) -> list[Waiting]:
    """Of messages that may go out now, those for whom a token may be spent."""
    return [
        Waiting(delivery.request.to, delivery.lane, delivery.next_attempt_at)
        for delivery, _ in sendable
        if delivery.next_attempt_at is not None and may_ride(delivery)
    ]


class Replier:
    """Begins replies. What rests is this process' own knowledge: another learns by itself that LINE is in trouble."""

    def __init__(self) -> None:
        self._resting: dict[str, datetime] = {}

    def rest(self, account: str, wall: datetime) -> None:
        """LINE did not answer clearly: push for a while."""
        self._resting[account] = wall + REST

    def rests(self, account: str, wall: datetime) -> bool:
        """Whether this account's messages are rather pushed now."""
        return account in self._resting and wall < self._resting[account]

    async def begin(
        self,
        connection: Connection,
        channel: Channel,
        waiting: Collection[Waiting],
        templates: Templates,
        at: ClaimTime,
    ) -> Riding:
        """Spend tokens on those of `waiting` whose person has one, and let ride what else waits for these people.

        `waiting` are locked by the caller.
        """
        if not waiting or channel.stopped is not None or self.rests(channel.account, at.wall):
            return Riding()
        people = {each.to for each in waiting}
        found = await replies.find_tokens(connection, channel.account, people, at.wall)
        return await self._spend(connection, channel, choose(found, waiting, at.wall), templates, at)

    async def begin_idle(
        self, connection: Connection, channel: Channel, people: Collection[str], templates: Templates, at: ClaimTime
    ) -> Riding:
        """Spend these people's tokens, to which no answer has come, on what waits or is held for them."""
        found = await replies.find_tokens(connection, channel.account, people, at.wall)
        idle = [Waiting(token.user, "marketing", at.wall - IDLE) for token in found]
        return await self._spend(connection, channel, choose(found, idle, at.wall), templates, at)

    async def _spend(
        self, connection: Connection, channel: Channel, tokens: Sequence[Token], templates: Templates, at: ClaimTime
    ) -> Riding:
        if not tokens:
            return Riding()
        riders = await replies.lock_riders(connection, channel.account, tokens, at.wall)
        blocked = await deliveries.blocked(connection, riders)
        sorted_riders = sort_due([rider for rider in riders if may_ride(rider)], templates, at, blocked)
        if sorted_riders.missing:
            return Riding(missing=sorted_riders.missing)
        by_user: dict[str, list[tuple[Delivery, bytes]]] = {}
        for rider in await templates.links.keep(connection, sorted_riders.sendable):
            by_user.setdefault(rider[0].request.to, []).append(rider)
        formed = [(token, form_reply(token, by_user.get(token.user, ()))) for token in tokens]
        return await _store(connection, channel, [(token, reply) for token, reply in formed if reply], at)


async def _store(
    connection: Connection, channel: Channel, formed: Sequence[tuple[Token, Reply]], at: ClaimTime
) -> Riding:
    """Take slots and tokens, and store what has both."""
    endpoint = channels.Endpoint(channel.account, "reply", RATE)
    slots = (await channels.take_slots(connection, endpoint, at.wall, len(formed))).instants()
    begun = list(zip(formed, slots, strict=False))  # fewer slots than wishes
    ours = await replies.take_tokens(connection, [token.event for (token, _), _ in begun]) if begun else set()
    attempts = [ReplyAttempt(reply, token.token, slot) for (token, reply), slot in begun if token.event in ours]
    await replies.add(connection, [each.sent for each in attempts], at.wall + TOLD_WITHIN, at.wall)
    lost = {token.event for (token, _), _ in begun} - ours
    taken = {member for token, reply in formed if token.event not in lost for member in reply.members}
    return Riding(attempts, taken=taken)


def _message_id(sendable: tuple[Delivery, bytes] | Candidate) -> UUID:
    return sendable.message_id if isinstance(sendable, Candidate) else sendable[0].message_id
