"""Due deliveries -> attempts, each a push of its own, in one transaction an account.

May block: on PostgreSQL, and on another dispatcher that reserves from the same account's month.
May lose: nothing; a crash before the commit leaves the deliveries waiting, one after it lets their leases run out.
Order of locks, the same everywhere: deliveries, the month's quota and budgets (books.py), the rate.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.books import Books
from todoke_dispatcher.domain.decide import Channel, cannot_render, must_stand, must_stand_by, worth_sending
from todoke_dispatcher.domain.delivery import Delivery, begin_attempt
from todoke_dispatcher.domain.menus import RATE
from todoke_dispatcher.domain.quota import QuotaBook
from todoke_dispatcher.domain.rendering import RenderError
from todoke_dispatcher.linking import ClaimLinks
from todoke_dispatcher.missing import Missing, MissingError
from todoke_dispatcher.settings import DispatcherSettings
from todoke_dispatcher.templates import Templates, UnreadableTemplateError
from todoke_shared.postgres.stream import Connection


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery on its way: as it was claimed, as it is stored, and the instant (wall) that is its own."""

    before: Delivery
    sent: Delivery
    slot: datetime

    @property
    def account(self) -> str:
        """Whose message it is."""
        return self.sent.request.account


@dataclass(slots=True)
class Sorted:
    """Due deliveries, told apart: those to send with their bodies, those that end here, and what to bring first.

    `unreadable`: those whose version this release cannot read. `quiet`: those whose campaign lets nobody be woken now.
    """

    sendable: list[tuple[Delivery, bytes]] = field(default_factory=list)
    ended: list[Delivery] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    unreadable: list[UUID] = field(default_factory=list)
    quiet: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClaimTime:
    """The instants of a claim: `now` is the shop's, `wall` LINE's.

    `recalls`: by campaign, until when what it owed is no longer wanted, by the shop's time.
    """

    now: datetime
    wall: datetime
    recalls: Mapping[str, datetime] = field(default_factory=dict)

    def recalled(self, campaign: str | None, due_at: datetime) -> bool:
        """Whether what the campaign owed at that instant is no longer wanted."""
        until = self.recalls.get(campaign) if campaign is not None else None
        return until is not None and due_at <= until


def sort_due(
    due: Sequence[Delivery], templates: Templates, at: ClaimTime, blocked: AbstractSet[tuple[str, str]]
) -> Sorted:
    """Decide for each whether it is still worth sending, and render those that are."""
    result = Sorted()
    for delivery in due:
        recipient = (delivery.request.account, delivery.request.to)
        recalled = at.recalled(delivery.campaign, delivery.request.due_at)
        ended = worth_sending(
            delivery, now=at.now, wall=at.wall, has_blocked=recipient in blocked, is_recalled=recalled
        )
        if ended is not None:
            result.ended.append(ended)
            continue
        try:
            if not delivery.ambiguous and templates.is_quiet(delivery.request, at.now):
                result.quiet.append(delivery.message_id)
                continue
            result.sendable.append((delivery, templates.body(delivery)))
        except RenderError as error:
            result.ended.append(cannot_render(delivery, str(error)))
        except MissingError as error:
            result.missing.note(error)
        except UnreadableTemplateError:
            result.unreadable.append(delivery.message_id)
    return result


def admit(
    sendable: Sequence[tuple[Delivery, bytes]], channel: Channel, book: QuotaBook, wall: datetime
) -> tuple[list[tuple[Delivery, bytes]], list[Delivery]]:
    """Those that their channel may send now, in order, and those that wait for it."""
    admitted: list[tuple[Delivery, bytes]] = []
    standing: list[Delivery] = []
    for delivery, body in sendable:
        stands = must_stand(delivery, channel, book, wall=wall)
        if stands is not None:
            standing.append(stands)
            continue
        if not book.holds(delivery):
            book = book.with_more(delivery.lane, campaign=delivery.campaign)
        admitted.append((delivery, body))
    return admitted, standing


class Claimer:
    """Turns what is due into attempts, within the month and at the instants that are ours alone."""

    def __init__(self, settings: DispatcherSettings, books: Books) -> None:
        self._settings = settings
        self._books = books

    async def begin(  # noqa: PLR0913 - the whole matter of a claim
        self,
        connection: Connection,
        channel: Channel,
        sendable: Sequence[tuple[Delivery, bytes]],
        links: ClaimLinks,
        *,
        campaigns: Iterable[str | None],
        wall: datetime,
    ) -> tuple[list[Attempt], list[Delivery]]:
        """Reserve, store links, take slots, store. Gives the attempts, and the deliveries that stand still.

        What finds no slot stays as it is, and is claimed again when there is one. `campaigns`: all that the transaction
        is about, those of deliveries that end here among them.
        """
        messages = [each for each in sendable if each[0].request.rich_menu is None]
        menus = [each for each in sendable if each[0].request.rich_menu is not None]
        attempts, standing = await self._begin_messages(
            connection, channel, messages, links, campaigns=campaigns, wall=wall
        )
        linking, stopped = await self._begin_menus(connection, channel, menus, wall)
        return attempts + linking, standing + stopped

    async def _begin_menus(
        self, connection: Connection, channel: Channel, menus: Sequence[tuple[Delivery, bytes]], wall: datetime
    ) -> tuple[list[Attempt], list[Delivery]]:
        """What costs nothing of the month, at a rate of its own."""
        if not menus:
            return [], []
        stopped = [must_stand_by(menu, channel, wall=wall) for menu, _ in menus]
        standing = [menu for menu in stopped if menu is not None]
        admitted = [] if standing else menus
        endpoint = channels.Endpoint(channel.account, "rich_menu", RATE)
        attempts = await self._attempts(connection, endpoint, admitted, wall, month=None)
        await deliveries.begin(connection, [attempt.sent for attempt in attempts], wall)
        return attempts, standing

    async def _begin_messages(  # noqa: PLR0913 - as of `begin`
        self,
        connection: Connection,
        channel: Channel,
        sendable: Sequence[tuple[Delivery, bytes]],
        links: ClaimLinks,
        *,
        campaigns: Iterable[str | None],
        wall: datetime,
    ) -> tuple[list[Attempt], list[Delivery]]:
        """Within the month."""
        if not sendable:
            return [], []
        book = await self._books.lock(connection, channel.account, campaigns, wall)
        fitting, standing = admit(sendable, channel, book, wall)
        admitted = await links.keep(connection, fitting)  # before slots are taken, which soon end
        endpoint = channels.Endpoint(channel.account, "push", self._settings.push_rate)
        attempts = await self._attempts(connection, endpoint, admitted, wall, month=book.month)
        sent = [(attempt.before, attempt.sent.lane, 1) for attempt in attempts]
        await self._books.place(connection, channel.account, book, sent, wall)
        await deliveries.begin(connection, [attempt.sent for attempt in attempts], wall)
        return attempts, standing

    async def _attempts(
        self,
        connection: Connection,
        endpoint: channels.Endpoint,
        admitted: Sequence[tuple[Delivery, bytes]],
        wall: datetime,
        *,
        month: date | None,
    ) -> list[Attempt]:
        """As many as there are time slots for. `month`: where they have their places, None: they cost nothing."""
        slots = (await channels.take_slots(connection, endpoint, wall, len(admitted))).instants()
        lease = self._settings.lease
        return [
            Attempt(before, begin_attempt(before, body, wall=wall, lease=lease, month=month), slot)
            for (before, body), slot in zip(admitted, slots, strict=False)  # fewer slots than wishes
        ]
