"""When triggers start and end runs. Everything is decided by when things happened, not by when we learnt of them.

| trigger | campaign's `again` | what is known             | decision |
|---------|--------------------|---------------------------|----------|
| enter   | any                | it is before `starts`, or not before `ends` | refused, and is no entry |
| enter   | any                | an exit at or after it    | refused: it was over before it began |
| enter   | never              | an entry                  | refused |
| enter   | after              | an entry less than that before it, or any after it | refused, and is no entry |
| enter   | any                | a run of that very instant, over or not | refused: it is the same entry |
| enter   | restart            | an older run              | the older run ends here, a new one starts |
| enter   | restart            | a newer entry             | the run starts, and ends at the newer one |
| enter   | always, after      | anything else             | a run starts |
| exit    | any                | runs started by then      | they end here |

What is no entry leaves no mark: neither `never` nor `after` counts it. A run that starts ends at the campaign's `ends`
at the latest, and is in the holdout if its person is.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from todoke_scheduler.domain import words
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.sharing import in_holdout
from todoke_shared.campaigns.entering import AgainAfter
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.ids import enrolment_id


@dataclass(frozen=True)
class Marks:
    """The newest entry and exit that are known of a journey (a person, a campaign, a key)."""

    entered_at: datetime | None = None
    exited_at: datetime | None = None

    def entering(self, at: datetime) -> "Marks":
        """With an entry at `at`."""
        return replace(self, entered_at=max(self.entered_at or at, at))

    def exiting(self, at: datetime) -> "Marks":
        """With an exit at `at`."""
        return replace(self, exited_at=max(self.exited_at or at, at))


@dataclass(frozen=True)
class Entry:
    """What an enter trigger comes to: the run it starts (or why not), the older runs as they now end, the marks."""

    marks: Marks
    started: Enrolment | None = None
    ended: tuple[Enrolment, ...] = ()
    refusal: str | None = None


def enter(
    marks: Marks,
    active: Iterable[Enrolment],
    trigger: Trigger,
    published: PublishedCampaign,
    over: AbstractSet[UUID] = frozenset(),
) -> Entry:
    """Decide an enter trigger. `active` are the journey's running enrolments, `over` the ids of some that are over."""
    runs, campaign = tuple(active), published.campaign
    marked = marks.entering(trigger.at)
    if (refusal := _no_entry(campaign, marks, trigger.at)) is not None:
        return Entry(marks, refusal=refusal)
    if marks.exited_at is not None and marks.exited_at >= trigger.at:
        return Entry(marked, refusal=words.OVER_BEFORE_IT_BEGAN)
    if campaign.enter.again == "never" and marks.entered_at is not None:
        return Entry(marked, refusal=words.ENTERED_BEFORE)
    run = _run(trigger, published)
    if run.id in over or any(other.id == run.id for other in runs):
        return Entry(marked, refusal=words.SAME_ENTRY)
    if campaign.enter.again != "restart":
        return Entry(marked, run)
    older = tuple(other.ending(trigger.at, "restarted") for other in runs if other.started_at < trigger.at)
    newer = [other.started_at for other in runs if other.started_at > trigger.at]
    if not newer and marks.entered_at is not None and marks.entered_at > trigger.at:
        newer = [marks.entered_at]
    return Entry(marked, run.ending(min(newer), "restarted") if newer else run, older)


def leave(active: Iterable[Enrolment], trigger: Trigger) -> list[Enrolment]:
    """The runs that an exit trigger ends: those started by then, of its key or (key "") of every key."""
    return [
        run.ending(trigger.at, "exit")
        for run in active
        if run.started_at <= trigger.at and trigger.key in ("", run.key)
    ]


def _no_entry(campaign: Campaign, marks: Marks, at: datetime) -> str | None:
    """Why an entry is none at all; None when it is one."""
    zone, again = campaign.tz, campaign.enter.again
    if campaign.starts is not None and at < (starts := at_local(campaign.starts, zone)):
        return words.not_started(starts, zone)
    if campaign.ends is not None and at >= (ends := at_local(campaign.ends, zone)):
        return words.already_over(ends, zone)
    last = marks.entered_at
    if not isinstance(again, AgainAfter) or last is None or at - last >= again.after:
        return None
    # Only the newest entry is remembered: whether an older one had its 30 days cannot be told any more.
    return words.entered_since(last, zone) if at < last else words.entered_within(again.after, last, zone)


def _run(trigger: Trigger, published: PublishedCampaign) -> Enrolment:
    campaign = published.campaign
    run = Enrolment(
        id=enrolment_id(trigger.campaign, trigger.person, trigger.key, trigger.at),
        campaign=trigger.campaign,
        version=published.version,
        shop=trigger.shop,
        person=trigger.person,
        key=trigger.key,
        started_at=trigger.at,
        due_at=trigger.at,
        context=trigger.context,
        holdout=in_holdout(trigger.campaign, campaign.holdout, trigger.person),
    )
    return run if campaign.ends is None else run.ending(at_local(campaign.ends, campaign.tz), "over")
