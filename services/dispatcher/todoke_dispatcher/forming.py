"""Marketing that waits -> multicasts, stored and not yet sent; and pushes, for what has no company.

Nothing waits for company: this looks at what waits now. Forming groups and sending them are two transactions, since
storing thousands of members takes longer than a time slot lives: what is formed is claimed like any stored multicast.
May block: on PostgreSQL, and on another dispatcher that reserves from the same account's month.
May lose: nothing; a crash before the commit leaves the deliveries waiting, one after it leaves the group to anybody.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.adapters import multicasts
from todoke_dispatcher.adapters.multicasts import Fresh
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.books import Books
from todoke_dispatcher.claiming import Attempt, Claimer, ClaimTime
from todoke_dispatcher.domain.decide import Channel, cannot_render, must_stand, useless, worth_sending
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.grouping import LARGEST_GROUP, Candidate, form, group
from todoke_dispatcher.domain.quota import Places, QuotaBook
from todoke_dispatcher.domain.rendering import RenderError, addressed, check_content
from todoke_dispatcher.linking import ClaimLinks
from todoke_dispatcher.missing import Missing, MissingError
from todoke_dispatcher.settings import DispatcherSettings
from todoke_dispatcher.templates import Contents, UnreadableTemplateError
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.errors import BadMessageError
from todoke_shared.postgres.stream import Connection

GROUPS_AT_ONCE = 8
"""Storing them takes some 50 ms, which is how long a transactional message may have to wait for this process."""
MOST_AT_ONCE = GROUPS_AT_ONCE * LARGEST_GROUP


@dataclass(slots=True)
class SortedFresh:
    """Waiting messages told apart: to be grouped, ended here (before, after), and what to bring first; see `Sorted`."""

    candidates: list[Candidate] = field(default_factory=list)
    ended: list[tuple[Delivery, Delivery]] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    unreadable: list[UUID] = field(default_factory=list)
    quiet: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class Formed:
    """How many groups were stored, pushes begun, and deliveries that stand still, each before and after."""

    groups: int = 0
    pushes: list[Attempt] = field(default_factory=list)
    standing: list[tuple[Delivery, Delivery]] = field(default_factory=list)


def sort_fresh(fresh: Sequence[Fresh], contents: Contents, at: ClaimTime) -> SortedFresh:
    """Decide for each whether it is still worth sending, and render those that are."""
    result = SortedFresh()
    for each in fresh:
        try:
            _sort_one(each, contents, at, result)
        except MissingError as error:
            result.missing.note(error)
        except (UnreadableTemplateError, BadMessageError, ValueError):
            result.unreadable.append(each.message_id)
    return result


def _sort_one(each: Fresh, contents: Contents, at: ClaimTime, result: SortedFresh) -> None:
    """Whatever else is raised than MissingError: this release cannot read it."""
    request = read_stored(each.request)
    recalled = at.recalled(request.campaign, request.due_at)
    if useless(each.expires_at, now=at.now, has_blocked=each.has_blocked, is_recalled=recalled):
        before = delivery_of(each)
        ended = worth_sending(before, now=at.now, wall=at.wall, has_blocked=each.has_blocked, is_recalled=recalled)
        result.ended += [(before, ended)] if ended else []
        return
    try:
        if contents.is_quiet(request, at.now):
            result.quiet.append(each.message_id)
            return
        content = contents.of(each.message_id, request, each.request)
        check_content(content)
    except RenderError as error:
        before = delivery_of(each)
        result.ended.append((before, cannot_render(before, str(error))))
        return
    result.candidates.append(
        Candidate(each.message_id, request.to, content, each.expires_at, each.claims, request.campaign)
    )


def is_crowd(candidates: Sequence[Candidate]) -> bool:
    """Whether most of them have company, so that reading more at once is worth it."""
    return 2 * sum(len(together) for together in group(candidates).groups) > len(candidates)


def delivery_of(fresh: Fresh) -> Delivery:
    """The delivery as the ledger has it. BadMessageError when this release cannot read its request."""
    return Delivery(
        fresh.message_id,
        "marketing",
        MessageRequest.from_json(fresh.request),
        epoch=fresh.epoch,
        next_attempt_at=fresh.next_attempt_at,
        attempts=fresh.attempts,
        claims=fresh.claims,
    )


class Former:
    """Puts what waits into groups, within the month."""

    def __init__(self, settings: DispatcherSettings, books: Books, claimer: Claimer) -> None:
        self._books = books
        self._claimer = claimer
        self._small = settings.push_rate // settings.multicast_rate

    async def form(  # noqa: PLR0913 - a transaction's whole matter
        self,
        connection: Connection,
        channel: Channel,
        candidates: Sequence[Candidate],
        fresh: Sequence[Fresh],
        links: ClaimLinks,
        *,
        room: int,
        wall: datetime,
    ) -> Formed:
        """Store groups with their places in the month, and begin up to `room` pushes. `fresh`: where they come from.

        Groups beyond GROUPS_AT_ONCE stay untouched until the next time; those so small that pushes carry more a second
        than multicasts are pushed.
        """
        owing = {each.campaign for each in candidates}
        book = await self._books.lock(connection, channel.account, owing, wall)
        fitting, beyond, full = share_out([] if channel.stopped else candidates, book)
        grouped = group(fitting)
        now, later = grouped.groups[:GROUPS_AT_ONCE], grouped.groups[GROUPS_AT_ONCE:]
        await self._store(connection, channel.account, now, book, wall)
        pushed = grouped.alone + [one for members in later if len(members) < self._small for one in members]
        stored = {each.message_id: each for each in fresh}
        sendable = [(delivery_of(stored[one.message_id]), addressed(one.to, one.content)) for one in pushed[:room]]
        pushes, _ = await self._claimer.begin(connection, channel, sendable, links, campaigns=owing, wall=wall)
        standing = candidates if channel.stopped else beyond
        return Formed(len(now), pushes, _standing(standing, stored, channel, full, wall))

    async def _store(
        self,
        connection: Connection,
        account: str,
        groups: Sequence[Sequence[Candidate]],
        book: QuotaBook,
        wall: datetime,
    ) -> None:
        """Each as a multicast, with its places in the month."""
        formed = [form(account, members, wall=wall, month=book.month) for members in groups]
        places: Places = Counter()
        for each in formed:
            places["marketing", each.campaign] += each.size
        await self._books.reserve(connection, account, book, places, wall)
        await multicasts.add(connection, formed, wall)


def share_out(candidates: Sequence[Candidate], book: QuotaBook) -> tuple[list[Candidate], list[Candidate], QuotaBook]:
    """Those for which the month and their campaign's budget have room, in order; the others; the book after the first.

    So a group is no larger than what fits, before it is stored.
    """
    left = book.room("marketing")
    rooms = {name: one.room for name, one in book.campaigns.items()}
    fitting: list[Candidate] = []
    beyond: list[Candidate] = []
    for each in candidates:
        room = rooms.get(each.campaign) if each.campaign is not None else None
        if left == len(fitting) or room == 0:
            beyond.append(each)
            continue
        if each.campaign is not None and room is not None:
            rooms[each.campaign] = room - 1
        fitting.append(each)
    for campaign, number in Counter(each.campaign for each in fitting).items():
        book = book.with_more("marketing", number, campaign)
    return fitting, beyond, book


def _standing(
    candidates: Sequence[Candidate], stored: Mapping[UUID, Fresh], channel: Channel, book: QuotaBook, wall: datetime
) -> list[tuple[Delivery, Delivery]]:
    """Those for which the month, or the channel, has no room, as they wait for it."""
    deliveries = [delivery_of(stored[each.message_id]) for each in candidates]
    stand = [(before, must_stand(before, channel, book, wall=wall)) for before in deliveries]
    return [(before, after) for before, after in stand if after is not None]
