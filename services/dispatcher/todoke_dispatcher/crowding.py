"""Crowds that wait -> multicasts, stored and not yet sent; and the outcomes of those that LINE has taken.

A crowd that cannot leave as it is (a stopped channel, no room in the month, too late, no content) is opened: its
members wait as deliveries, and what is to be said of each is said there.
May block: on PostgreSQL, and on another dispatcher that reserves from the same account's month.
May lose: nothing; each of these is one transaction, and a crowd's state says which have been.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from msgspec.structs import replace

from todoke_dispatcher.adapters import crowds
from todoke_dispatcher.adapters.multicasts import Settled
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import ClaimTime
from todoke_dispatcher.domain.crowd import Crowd
from todoke_dispatcher.domain.decide import Channel, useless
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.multicast import Multicast
from todoke_dispatcher.domain.quota import Places
from todoke_dispatcher.domain.rendering import RenderError
from todoke_dispatcher.handlers import outcome_of
from todoke_dispatcher.missing import Missing, MissingError
from todoke_dispatcher.templates import Contents, UnreadableTemplateError
from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.stream import Connection

CROWDS_AT_ONCE = 16
"""Storing them takes some 50 ms, which is how long a transactional message may have to wait for this process."""


@dataclass(slots=True)
class SortedCrowds:
    """Waiting crowds told apart: to leave, each with its content, and to be opened; and what keeps others.

    `missing`: what to bring first. `unreadable`: crowds that this release cannot read. `quiet`: those whose campaign
    lets nobody be woken now.
    """

    ready: list[tuple[Crowd, bytes]] = field(default_factory=list)
    opened: list[UUID] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    unreadable: list[UUID] = field(default_factory=list)
    quiet: list[UUID] = field(default_factory=list)


def sort_crowds(waiting: Sequence[Crowd], contents: Contents, channel: Channel, at: ClaimTime) -> SortedCrowds:
    """Decide for each whether it may leave as it is, and render those that may."""
    result = SortedCrowds()
    for crowd in waiting:
        value = crowd.request_of(crowd.members[0])
        try:
            request = read_stored(value)
            recalled = at.recalled(crowd.campaign, request.due_at)
            late = useless(crowd.expires_at, now=at.now, has_blocked=False, is_recalled=recalled)
            if late or channel.stopped is not None or not crowd.is_multicast():
                result.opened.append(crowd.id)
                continue
            if contents.is_quiet(request, at.now):
                result.quiet.append(crowd.id)
                continue
            content = contents.of_all(request, value)
            if content is None:  # each member has links of their own
                result.opened.append(crowd.id)
            else:
                result.ready.append((crowd, content))
        except RenderError:
            result.opened.append(crowd.id)
        except MissingError as error:
            result.missing.note(error)
        except (UnreadableTemplateError, BadMessageError, ValueError):
            result.unreadable.append(crowd.id)
    return result


class CrowdFormer:
    """Lets crowds leave, within the month."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def form(self, connection: Connection, channel: Channel, found: SortedCrowds, at: ClaimTime) -> int:
        """Store the multicasts of those that are ready, and open the others. Gives how many leave."""
        ready = await self._without_blocked(connection, found, at)
        formed = await self._reserve(connection, channel, ready, found, at)
        await crowds.form(connection, formed, at.wall)
        await crowds.open_all(connection, dict.fromkeys(found.opened), at.wall)
        return len(formed)

    async def _without_blocked(
        self, connection: Connection, found: SortedCrowds, at: ClaimTime
    ) -> list[tuple[Crowd, bytes]]:
        """Crowds as they leave: who is known not to be a friend goes on alone, and is dropped there."""
        blocked = await crowds.blocked(connection, [crowd.id for crowd, _ in found.ready])
        ready: list[tuple[Crowd, bytes]] = []
        for crowd, content in found.ready:
            remaining, left = crowd.parted(blocked.get(crowd.id, ()))
            if not remaining.is_multicast():
                found.opened.append(crowd.id)
                continue
            if left:
                await crowds.part(connection, remaining, left, at.wall)
            ready.append((remaining, content))
        return ready

    async def _reserve(
        self,
        connection: Connection,
        channel: Channel,
        ready: Sequence[tuple[Crowd, bytes]],
        found: SortedCrowds,
        at: ClaimTime,
    ) -> list[Multicast]:
        """The groups for which the month and their campaigns have room, their places taken; the other crowds open."""
        book = await self._books.lock(connection, channel.account, (crowd.campaign for crowd, _ in ready), at.wall)
        formed: list[Multicast] = []
        places: Places = Counter()
        full = book
        for crowd, content in ready:
            group = _as_multicast(crowd, content, at.wall, book.month)
            size = len(crowd.members)
            if group is None or not (full.admits("marketing", size) and full.affords(crowd.campaign, size)):
                found.opened.append(crowd.id)
                continue
            full = full.with_more("marketing", group.size, group.campaign)
            places["marketing", group.campaign] += group.size
            formed.append(group)
        await self._books.reserve(connection, channel.account, book, places, at.wall)
        return formed


def _as_multicast(crowd: Crowd, content: bytes, wall: datetime, month: date) -> Multicast | None:
    """None when one request cannot hold it."""
    try:
        return crowd.as_multicast(content, wall=wall, month=month)
    except RenderError:
        return None


async def tell_crowd(connection: Connection, now: datetime) -> list[Outgoing]:
    """The outcomes of the crowd that has waited longest to be told of; `now` is the shop's time."""
    outcomes: list[Outgoing] = []
    for crowd, reason, request_id in await crowds.lock_untold(connection, 1):
        request = read_stored(crowd.request_of(crowd.members[0]))
        for member in crowd.members:
            own = replace(request, to=member.to, person=member.person, enrolment=member.enrolment)
            settled = Settled(member.id, b"", reason, request_id)
            outcomes.append(outcome_of(own, settled, State.ACCEPTED, now, via="multicast"))
        await crowds.told(connection, [crowd.id])
    return outcomes
