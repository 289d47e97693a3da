"""Contents on their way into bodies: links get their tokens, and LINE the name by which it counts.

Links of one message are stored in the transaction that stores its body, all of a claim in one statement. Shared links
and units are made beforehand, once for the fleet, and remembered.
May block: on PostgreSQL. May lose: nothing; a token that was proposed and never stored is in no body that went out.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
from cachetools import LRUCache

from todoke_dispatcher.adapters import units
from todoke_dispatcher.adapters.links import MessageLink, NewLink, SharedLink, share, store
from todoke_dispatcher.adapters.stored_requests import StoredRequest
from todoke_dispatcher.adapters.units import Unit
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.linking import Marked, Tracker, Tracking, mark
from todoke_dispatcher.domain.links import new_token
from todoke_dispatcher.domain.units import FIELD
from todoke_dispatcher.missing import Missing, MissingError
from todoke_dispatcher.settings import DispatcherSettings
from todoke_shared.accounts import Config
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.postgres.stream import Connection
from todoke_shared.shops import Shop

SHARED_KEPT = 100_000
"""Shared links in memory, some 50 MB: far more than the campaigns of a day have, unless each person's is another."""

Request = MessageRequest | StoredRequest


class Linker:
    """What all claims of a process share: where links may lead, shared tokens, units."""

    def __init__(self, settings: DispatcherSettings, config: Config) -> None:
        self._base = settings.public_url
        self._shops = config.shops
        self._trial = config.trial
        self._counts = settings.aggregation_units
        self._trackers: dict[tuple[str, str, int], Tracker | None] = {}
        self._tokens: LRUCache[SharedLink, str] = LRUCache(SHARED_KEPT)
        self._units: dict[Unit, str | None] = {}

    def tracker(self, shop: str, campaign: Campaign, version: int) -> Tracker | None:
        """What decides about the links of a campaign's version; None where nothing is tracked."""
        key = (shop, campaign.campaign, version)
        if key not in self._trackers:
            self._trackers[key] = self._tracker(shop, campaign)
        return self._trackers[key]

    def _tracker(self, shop: str, campaign: Campaign) -> Tracker | None:
        if self._base is None or campaign.links_per == "off":
            return None
        hosts = self._shops.get(shop, Shop()).link_hosts
        return Tracking(self._base, hosts, trial=self._trial).of(campaign)

    def unit(self, request: Request, month: date) -> str | None:
        """The unit of a request's step. MissingError when it is not known yet whether the month has room for it."""
        if not self._counts or request.campaign is None or request.step is None:
            return None
        unit = Unit(request.account, month, request.campaign, request.step)
        try:
            return self._units[unit]
        except KeyError:
            raise MissingError(unit=unit) from None

    def tokens(self, links: Sequence[SharedLink]) -> list[str]:
        """The tokens of shared links. MissingError names those that are not known."""
        found = [self._tokens.get(link) for link in links]
        known = [token for token in found if token is not None]
        if len(known) < len(links):
            raise MissingError(links=[link for link, token in zip(links, found, strict=True) if token is None])
        return known

    async def make(self, pool: "asyncpg.Pool[asyncpg.Record]", missing: Missing, now: datetime) -> None:
        """Make shared links and units, or learn of those that another dispatcher has made. `now`: the shop's time."""
        if not (missing.links or missing.units):
            return
        async with pool.acquire() as connection:
            if missing.links:
                self._tokens.update(await share(connection, missing.links, now))
            if missing.units:
                self._units |= await units.add(connection, missing.units)


class ClaimLinks:
    """The links of what one claim renders. `now`: the shop's time; `month`: LINE's, its first day."""

    def __init__(self, linker: Linker, now: datetime, month: date) -> None:
        self._linker = linker
        self._now = now
        self._month = month
        self._own: dict[UUID, list[NewLink]] = {}

    def mark(self, request: Request, campaign: Campaign | None, messages: Sequence[object]) -> Marked:
        """The content of a request, for all who get the same. `campaign`: whose template it is, if it is one's."""
        unit = self._linker.unit(request, self._month)
        extra: Mapping[str, object] | None = None if unit is None else {FIELD: [unit]}
        tracker = None
        if campaign is not None and request.template is not None:
            tracker = self._linker.tracker(request.shop, campaign, request.template.version)
        return mark(messages, tracker, extra)

    def shared(self, lane: Lane, request: Request, marked: Marked) -> bytes:
        """The content that all copies share, with their tokens. MissingError when these are not known yet."""
        if not marked.links:
            return marked.content
        return marked.with_tokens(self._linker.tokens(_shared(lane, request, marked)))

    def own(self, message: UUID, lane: Lane, request: Request, marked: Marked) -> bytes:
        """The content of one message, with tokens of its own: the same each time it is rendered in this claim."""
        before = {link.message and link.message.place: link for link in self._own.get(message, ())}
        tokens = [_token_of(before.get(link.place), link.destination) for link in marked.links]
        self._own[message] = [
            NewLink(
                link.destination,
                request.shop,
                request.campaign,
                request.step,
                MessageLink(message, link.place, request.account, lane, request.person, request.enrolment),
                token=token,
            )
            for link, token in zip(marked.links, tokens, strict=True)
        ]
        return marked.with_tokens(tokens)

    async def keep(
        self, connection: Connection, admitted: Sequence[tuple[Delivery, bytes]]
    ) -> Sequence[tuple[Delivery, bytes]]:
        """Store the links of these bodies, in the transaction that stores the bodies; gives the bodies to store.

        A message that an operator has sent again has its links from the first time, and keeps their tokens.
        """
        links = [link for delivery, _ in admitted for link in self._own.get(delivery.message_id, ())]
        if not links:
            return admitted
        kept = await store(connection, links, self._now)
        others = {link.token: token for link, token in zip(links, kept, strict=True) if link.token != token}
        if not others:
            return admitted
        return [(delivery, self._with_others(delivery, body, others)) for delivery, body in admitted]

    def _with_others(self, delivery: Delivery, body: bytes, others: Mapping[str | None, str]) -> bytes:
        for link in self._own.get(delivery.message_id, ()):
            if link.token is not None and link.token in others:
                body = body.replace(link.token.encode(), others[link.token].encode())
        return body


def _token_of(before: NewLink | None, destination: str) -> str:
    same = before is not None and before.destination == destination
    return before.token if before is not None and before.token is not None and same else new_token()


def _shared(lane: Lane, request: Request, marked: Marked) -> list[SharedLink]:
    template = request.template
    if template is None:
        raise AssertionError("only templates have links that are tracked")
    whose = request.shop, request.account, lane, template.campaign, template.version, template.message
    step = request.step or template.message
    return [SharedLink(*whose, step, link.place, link.destination) for link in marked.links]
