"""Whether something that is due is done now: asked in this order, and every no is a line of the decision log.

| asked | of what | no |
|-------|---------|----|
| is the run over | everything | left out |
| is it in the holdout | everything | left out |
| is the campaign paused | everything | rests: it stays due when it was |
| a friend of the account | messages | left out |
| consent | messages | left out |
| late: more than `late.after` | messages | left out, or held, once: spread over what it is late by, an hour at most |
| quiet hours | messages | held until they are over, and spread over the half hour after |
| caps | messages | left out |

Lateness and quiet hours are one hold; one that would last longer than the message is of use leaves it out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec

from todoke_scheduler.domain import words
from todoke_scheduler.domain.calendar import last_time, next_time
from todoke_scheduler.domain.effects import Action, Effect, Owed
from todoke_scheduler.domain.enrolment import SPREAD, Enrolment
from todoke_scheduler.domain.people import Recipient
from todoke_scheduler.domain.sharing import spread
from todoke_scheduler.domain.verdicts import GO, Hold, Rest, Skip, Verdict
from todoke_shared.campaigns.limits import Cap, QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import Lane

PAUSE_LOOK = timedelta(minutes=10)
"""How often a run of a paused campaign is looked at; whoever resumes it may wake them sooner."""
PUNCTUAL = timedelta(minutes=1)
"""Nothing is late before that: a restart takes less, and a held step that goes out a second later is not held again."""
CATCH_UP = timedelta(hours=1)
MORNING = timedelta(minutes=30)
"""Over how long what waited for quiet hours to end is spread: no rush on the account or the shop, and still morning."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a campaign has asked for, for the person, at `at`."""

    campaign: str
    lane: Lane
    at: datetime


@dataclass(frozen=True)
class Standing:
    """What holds for all runs of a campaign. `shop_caps`: of the shop, over all its campaigns and accounts.

    `shop_quiet_hours`: those that marketing keeps which says nothing of its own. `rate`: shop seconds per real second.
    Where time is simulated, what a machine takes is long by the shop's clock and nobody's lateness.
    """

    campaign: Campaign
    shop_caps: tuple[Cap, ...] = ()
    is_paused: bool = False
    shop_quiet_hours: QuietHours | None = None
    rate: float = 1.0

    @cached_property
    def quiet_hours(self) -> QuietHours | None:
        """What it keeps quiet."""
        return self.campaign.quiet_hours_in(self.shop_quiet_hours)

    @cached_property
    def counts_sent(self) -> bool:
        """Whether a cap may count what was sent."""
        return bool(self.campaign.caps) or (bool(self.shop_caps) and self.campaign.lane == "marketing")

    def longest_cap(self) -> timedelta:
        """As far back as a cap counts."""
        return max((cap.within for cap in (*self.campaign.caps, *self.shop_caps)), default=timedelta())


class Guard(msgspec.Struct, frozen=True):
    """Decides for the runs of one campaign and one person, at `now`: what `advance` is given.

    `sent`: what the person was sent lately, as far back as the longest cap counts.
    """

    standing: Standing
    person: Recipient
    now: datetime
    sent: Sequence[Sent] = ()

    def __call__(self, action: Action, run: Enrolment, effects: Sequence[Effect] = ()) -> Verdict:
        """The verdict on an action that is due, by the table above. `effects`: what was let go just before it."""
        if run.status != "active" or run.has_ended_by(self.now):
            return Skip(words.run_over(run.end_reason))
        if run.holdout:
            return Skip(words.IN_HOLDOUT)
        if self.standing.is_paused:
            return Rest(self.now + PAUSE_LOOK + spread(run.id, PAUSE_LOOK))
        if not isinstance(action, Owed):
            return GO
        campaign = self.standing.campaign
        return (
            _not_wanted(campaign, self.person)
            or _not_now(action, run, self.standing, self.now)
            or (self._too_many(effects) if self.standing.counts_sent else None)
            or GO
        )

    def _too_many(self, effects: Sequence[Effect]) -> Skip | None:
        campaign = self.standing.campaign
        just_now = [Sent(campaign.campaign, campaign.lane, self.now) for one in effects if isinstance(one, Owed)]
        return _too_many(self.standing, [*self.sent, *just_now], self.now)


def _not_wanted(campaign: Campaign, person: Recipient) -> Skip | None:
    if not person.is_friend(campaign.account):
        return Skip(words.no_friend(campaign.account))
    match campaign.consent, person.consents():
        case (("marketing" | "required"), False):
            return Skip(words.REFUSED_CONSENT)
        case "required", None:
            return Skip(words.NO_CONSENT)
    return None


def _not_now(owed: Owed, run: Enrolment, standing: Standing, now: datetime) -> Hold | Skip | None:
    campaign = standing.campaign
    until, why, late = now, "", False
    lateness = (now - owed.due_at) / standing.rate
    if lateness > max(campaign.late.after, PUNCTUAL) and run.notes.get(SPREAD) != owed.step:
        if campaign.late.then == "skip":
            return Skip(words.too_late(lateness, campaign.late.after))
        until += spread(run.id, min(lateness, CATCH_UP))
        why, late = words.spread_out(lateness, until, campaign.tz), True
    quiet = standing.quiet_hours
    if quiet is not None and (open_at := _opens(quiet, run, until, campaign.tz)):
        until, why = open_at, words.quiet(open_at, campaign.tz)
    if until <= now:
        return None
    if campaign.expires is not None and until > owed.due_at + campaign.expires:
        return Skip(words.expired(until, campaign.tz))
    return Hold(until, why, late)


def quiet_until(quiet: QuietHours, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """When quiet hours that `instant` is in are over; None outside them."""
    if not quiet.show(instant.astimezone(zone).time()):
        return None
    over = next_time(last_time(instant, quiet.start, zone), quiet.end, zone)
    return over if instant < over else None  # clocks show a time for the second time: it was quiet the first time


def _opens(quiet: QuietHours, run: Enrolment, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """When this run may go on after quiet hours that `instant` is in; None outside them."""
    over = quiet_until(quiet, instant, zone)
    if over is None:
        return None
    return over + spread(run.id, min(MORNING, next_time(over, quiet.start, zone) - over))


def _too_many(standing: Standing, sent: Sequence[Sent], now: datetime) -> Skip | None:
    if not sent:
        return None
    campaign = standing.campaign
    if own := _exceeded(campaign.caps, [one for one in sent if one.campaign == campaign.campaign], now):
        return Skip(words.capped(own, "the campaign"))
    if campaign.lane == "transactional":
        return None
    wide = _exceeded(standing.shop_caps, [one for one in sent if one.lane == "marketing"], now)
    return None if wide is None else Skip(words.capped(wide, "the shop"))


def _exceeded(caps: Iterable[Cap], sent: Sequence[Sent], now: datetime) -> Cap | None:
    """The first cap that one more message would exceed."""
    full = (cap for cap in caps if sum(one.at > now - cap.within for one in sent) >= cap.messages)
    return next(full, None)
