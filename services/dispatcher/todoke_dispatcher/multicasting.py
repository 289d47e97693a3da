"""Multicasts that are due -> attempts, in one transaction an account.

May block: on PostgreSQL, and on another dispatcher that reserves from the same account's month.
May lose: nothing; a group is stored with its recipients, body and key before this is called (forming.py).
Order of locks, the same everywhere: multicasts, deliveries, the month's quota and budgets (books.py), the rate.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from todoke_dispatcher.adapters import channels, multicasts
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import ClaimTime
from todoke_dispatcher.domain.decide import Channel, group_must_stand, worth_asking
from todoke_dispatcher.domain.multicast import Multicast, begin_multicast
from todoke_dispatcher.domain.quota import QuotaBook
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.stream import Connection

RECALLS_ARE_KNOWN = timedelta(seconds=1)
"""How soon a recall is known: a group that has waited longer may have been formed before."""

GroupChange = tuple[Multicast, Multicast]
"""A multicast before, and after."""


@dataclass(frozen=True, slots=True)
class GroupAttempt:
    """A multicast on its way: as it was claimed, as it is stored, and the instant (wall) that is its own."""

    before: Multicast
    sent: Multicast
    slot: datetime

    @property
    def account(self) -> str:
        """Whose messages they are."""
        return self.sent.account


@dataclass(frozen=True, slots=True)
class Begun:
    """Attempts, groups that end or stand still here, and how many are due and have no time slot yet."""

    attempts: list[GroupAttempt] = field(default_factory=list)
    changes: list[GroupChange] = field(default_factory=list)
    waiting: int = 0


class MulticastClaimer:
    """Turns groups that are due into attempts, within the month and at the instants that are ours alone."""

    def __init__(self, settings: DispatcherSettings, books: Books) -> None:
        self._settings = settings
        self._books = books

    async def begin(self, connection: Connection, channel: Channel, limit: int, at: ClaimTime) -> Begun:
        """Claim up to `limit` groups of the channel's account."""
        due = await multicasts.lock_due(connection, channel.account, at.wall, limit)
        if not due:
            return Begun()
        recalled = await multicasts.recalled(connection, due, at.recalls, at.wall - RECALLS_ARE_KNOWN)
        book = await self._books.lock(connection, channel.account, (each.campaign for each in due), at.wall)
        admitted, changes = admit_groups(due, channel, book, at, recalled)
        endpoint = channels.Endpoint(channel.account, "multicast", self._settings.multicast_rate)
        slots = (await channels.take_slots(connection, endpoint, at.wall, len(admitted))).instants()
        lease = self._settings.lease
        attempts = [
            GroupAttempt(before, begin_multicast(before, wall=at.wall, lease=lease, month=book.month), slot)
            for before, slot in zip(admitted, slots, strict=False)  # fewer slots than wishes
        ]
        sent: list[tuple[Multicast, Lane, int]] = [(one.before, "marketing", one.before.size) for one in attempts]
        await self._books.place(connection, channel.account, book, sent, at.wall)
        await multicasts.begin(connection, [attempt.sent for attempt in attempts], at.wall)
        return Begun(attempts, changes, len(admitted) - len(attempts))


def admit_groups(
    due: Sequence[Multicast], channel: Channel, book: QuotaBook, at: ClaimTime, recalled: Container[UUID] = ()
) -> tuple[list[Multicast], list[GroupChange]]:
    """Those that may go out now, in order, and those that end or stand still."""
    admitted: list[Multicast] = []
    changes: list[GroupChange] = []
    for multicast in due:
        after = worth_asking(multicast, now=at.now, wall=at.wall, is_recalled=multicast.id in recalled)
        after = after or group_must_stand(multicast, channel, book, wall=at.wall)
        if after is not None:
            changes.append((multicast, after))
            continue
        if not book.holds(multicast):
            book = book.with_more("marketing", multicast.size, multicast.campaign)
        admitted.append(multicast)
    return admitted, changes
