"""What an operator sees of a broadcast before it goes: how many it is for, and how it reads."""

import random
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from todoke_dispatcher.domain.rendering import RenderError, render
from todoke_local.messages.view import lines_of
from todoke_scheduler.adapters.broadcasts import Asked, Recipient, read_chunk
from todoke_scheduler.domain.broadcasts import FIRST, LAST, Broadcast, Stretch, new_run
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import VARIABLES, variables
from todoke_segmenter.adapters.audiences import Count, count_holding
from todoke_segmenter.adapters.segments import current_segments
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.steps import Ask, Send
from todoke_shared.conditions import All, Compare, Condition, Not, resolve
from todoke_shared.people import TOKYO
from todoke_shared.people.conditions import compile_condition
from todoke_shared.postgres.stream import Connection

SAMPLED = 3
_LOOKED_AT = 20_000
"""Ids, in search of so few people: of an audience of one in a thousand some are found."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody of the audience, and the texts that they would read, or why there are none."""

    person: UUID
    texts: tuple[str, ...]


async def audience_of(pool: "asyncpg.Pool[asyncpg.Record]", campaign: Campaign) -> Condition | None:
    """The campaign's audience with its segments written out; None: everybody. `pool`: on the segmenter's schema."""
    if campaign.enter.condition is None:
        return None
    known = {one.segment.segment: one.segment.condition for one in await current_segments(pool)}
    return resolve(campaign.enter.condition, known)


async def count_audience(
    pool: "asyncpg.Pool[asyncpg.Record]", campaign: Campaign, audience: Condition | None, now: datetime
) -> Count:
    """How many would get it now: friends of the account in the audience who do not refuse. The holdout is in it."""
    parts: list[Condition] = [Compare("friend", "is", True)]
    if audience is not None:
        parts.append(audience)
    if campaign.consent == "marketing":
        parts.append(Not(Compare("consent.marketing", "is", False)))
    if campaign.consent == "required":
        parts.append(Compare("consent.marketing", "is", True))
    return await count_holding(pool, All(tuple(parts)), now, TOKYO, campaign.account)


def messages_each(campaign: PublishedCampaign) -> int:
    """How many messages the campaign sends one person at most."""
    return sum(isinstance(one.step, Send) or one.kind == "ask" for one in campaign.program.instructions)


def first_message(campaign: PublishedCampaign) -> str | None:
    """The name of the message that comes first in the file."""
    for one in campaign.program.instructions:
        match one.step:
            case Send(send=name) | Ask(message=name):
                return name
    return None


async def sample(
    pool: "asyncpg.Pool[asyncpg.Record]", published: PublishedCampaign, audience: Condition | None, now: datetime
) -> list[Seen]:
    """Three of the audience, anywhere in it, and the first message as they would read it."""
    name = first_message(published)
    if name is None:
        return []
    async with pool.acquire() as connection:
        found = await some_of(connection, published.campaign.account, audience, now, SAMPLED)
    return [_seen(published, name, one, now) for one in found]


async def some_of(
    connection: Connection, account: str, audience: Condition | None, now: datetime, people: int
) -> list[Recipient]:
    """So many of an audience, anywhere in it: friends of the account of whom a condition holds (None: all)."""
    asked = Asked(account, None if audience is None else compile_condition(audience, account), state=True)
    somewhere = UUID(int=random.getrandbits(128))
    found: dict[UUID, Recipient] = {}
    for first in (somewhere, FIRST):
        if len(found) < people:
            chunk = await read_chunk(connection, Stretch(first, LAST, _LOOKED_AT, people), asked, now)
            found |= {one.person: one for one in chunk.people}
    return list(found.values())[:people]


def _seen(published: PublishedCampaign, name: str, one: Recipient, now: datetime) -> Seen:
    broadcast = Broadcast(id=FIRST, campaign=published.campaign.campaign, due_at=now, next_at=now)
    run = new_run(broadcast, published, one.person, one.shop, now)
    zone = published.campaign.tz
    told = variables(run, PersonNow(one.person, state=one.state), VARIABLES, now, zone)
    try:
        messages = render(published.campaign.messages[name], told, zone)
    except RenderError as error:
        return Seen(one.person, (f"cannot be sent to them: {error}",))
    return Seen(one.person, tuple(lines_of(messages)))
