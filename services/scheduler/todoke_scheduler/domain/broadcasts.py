"""One occurrence of a scheduled campaign: everybody of its audience enters, in the order of their ids.

Rules
1. Whoever matches when their id is read, a second before it is reached at most, enters, and nobody enters twice. Who
   joins the audience after that is not in it; who joins it before is.
2. Of two ids that turn out to be one person the smaller remains (the segmenter's rule), so that a person is reached
   first under the id that stays; under an older id they enter only if they have not by then.
3. What is done of a broadcast and how far it has come is one transaction: a crash loses nothing and repeats nothing.
4. A broadcast keeps quiet hours and its rate as a whole, by resting. After quiet hours it takes half an hour.

| state | what happens | next |
|-------|--------------|------|
| planned | the campaign, as it is in force, is no longer due then | gone |
| planned | it is due | running |
| planned | it is due, so late that the campaign leaves it out | cancelled |
| planned, running | an operator cancels it | cancelled |
| running | a chunk of ids | running |
| running | no id is left, or the campaign has ended | done |
| done, cancelled | anything | unchanged |

A paused campaign's broadcasts stay as they are.
"""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from todoke_scheduler.domain import words
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import MORNING, PUNCTUAL, Standing, quiet_until
from todoke_scheduler.domain.sharing import in_holdout
from todoke_scheduler.domain.variables import variables_named
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.campaigns.steps import Send
from todoke_shared.ids import enrolment_id

BroadcastState = Literal["planned", "running", "done", "cancelled"]

CHUNK = 4_000
"""Ids a transaction: a fifth of a second, so that a broadcast is cancelled, and a caller of PostgreSQL served, soon."""
RATE_CHUNK = timedelta(milliseconds=500)
"""With a rate, as many people at once as are due in this time: smooth for the shop, and few transactions."""
SEARCH = 10
"""Ids that are looked at for each person wanted."""
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
_IDS = 2**128
_OF_STATE = frozenset({"event", "person", "answers", "today"})
"""What a message may say of somebody whose state is all that was read."""


class Stretch(msgspec.Struct, frozen=True):
    """The next `ids` after one, up to another, or fewer of them, where as many `people` are found before."""

    after: UUID
    up_to: UUID
    ids: int
    people: int


class Broadcast(msgspec.Struct, frozen=True, kw_only=True):
    """`cursor`: every id up to it was reached. `next_at`: when to go on. `rate`: people a second.

    `opened_at`, `opened_from`: when quiet hours were over, and where it stood then.
    """

    id: UUID
    campaign: str
    due_at: datetime
    state: BroadcastState = "planned"
    version: int | None = None
    cursor: UUID = FIRST
    next_at: datetime
    rate: int | None = None
    opened_at: datetime | None = None
    opened_from: UUID = FIRST
    started_at: datetime | None = None


def begin(broadcast: Broadcast, published: PublishedCampaign, standing: Standing, now: datetime) -> Broadcast | str:
    """A planned broadcast that is due, running on the version in force; a sentence when it is left out."""
    late = published.campaign.late
    lateness = (now - broadcast.due_at) / standing.rate
    if late.then == "skip" and lateness > max(late.after, PUNCTUAL):
        return words.too_late(lateness, late.after)
    return replace(
        broadcast,
        state="running",
        version=published.version,
        rate=published.campaign.enter.rate,
        started_at=now,
        next_at=now,
    )


def over(published: PublishedCampaign, now: datetime) -> str | None:
    """Why a running broadcast lets in nobody any more; None while it does."""
    ends = published.campaign.ends
    return words.ENDS["over"] if ends is not None and at_local(ends, published.campaign.tz) <= now else None


def kept_quiet(broadcast: Broadcast, published: PublishedCampaign, standing: Standing, now: datetime) -> Broadcast:
    """The broadcast, resting until quiet hours are over if it would begin with a message in them."""
    campaign = published.campaign
    quiet = campaign.quiet_hours_in(standing.shop_quiet_hours)
    first = published.program.at(0)
    if quiet is None or first is None or first.kind not in ("send", "ask"):
        return broadcast
    until = quiet_until(quiet, now, campaign.tz)
    if until is None:
        return broadcast
    return replace(broadcast, next_at=until, opened_at=until, opened_from=broadcast.cursor)


def new_run(broadcast: Broadcast, published: PublishedCampaign, person: UUID, shop: str, now: datetime) -> Enrolment:
    """The run of somebody who enters at `now`. There is one for a person and a broadcast, whenever that is."""
    campaign = published.campaign
    run = Enrolment(
        id=enrolment_id(broadcast.campaign, person, "", broadcast.due_at),
        campaign=broadcast.campaign,
        version=published.version,
        shop=shop,
        person=person,
        key="",
        started_at=now,
        due_at=now,
        holdout=in_holdout(broadcast.campaign, campaign.holdout, person) if campaign.holdout else False,
    )
    return run if campaign.ends is None else run.ending(at_local(campaign.ends, campaign.tz), "over")


def plain_message(published: PublishedCampaign, standing: Standing) -> Send | None:
    """The one step of a campaign that is nothing but a message; None where more has to be asked or written down."""
    step = published.program.instructions[0].step
    if len(published.program) != 1 or not isinstance(step, Send) or step.when is not None or standing.counts_sent:
        return None
    return step if variables_named(published.campaign.messages[step.send]) <= _OF_STATE else None


def next_stretch(broadcast: Broadcast, now: datetime) -> Stretch:
    """The ids that come next. With a rate no more than it takes to find the people of a moment."""
    up_to = _reach(broadcast, now)
    if broadcast.rate is None:
        return Stretch(broadcast.cursor, up_to, CHUNK, CHUNK)
    people = max(1, int(broadcast.rate * RATE_CHUNK.total_seconds()))
    return Stretch(broadcast.cursor, up_to, min(CHUNK, SEARCH * people), people)


def next_at(broadcast: Broadcast, entered: int, now: datetime) -> datetime:
    """When to go on after so many people entered at `now`. Coming a little late is made up for, a stop is not."""
    if broadcast.rate is None:
        return now
    return max(broadcast.next_at, now - RATE_CHUNK) + timedelta(seconds=entered / broadcast.rate)


def _reach(broadcast: Broadcast, now: datetime) -> UUID:
    """The id up to which to go at `now`. Ids are hashes: an equal share of them is an equal share of the people."""
    if broadcast.opened_at is None or now >= broadcast.opened_at + MORNING:
        return LAST
    begun = broadcast.opened_from.int
    share = max(now - broadcast.opened_at, timedelta()) / MORNING
    return UUID(int=min(begun + int((_IDS - begun) * share), _IDS - 1))


def share_done(cursor: UUID) -> float:
    """How much of a broadcast is behind it, 0 to 1."""
    return (cursor.int + 1) / _IDS if cursor.int else 0.0
