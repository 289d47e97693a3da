"""When triggers start and end runs. Everything is decided by when things happened, not by when we learnt of them.

| trigger | campaign's `again` | what is known            | decision |
|---------|--------------------|--------------------------|----------|
| enter   | any                | an exit at or after it   | refused: it was over before it began |
| enter   | never              | an entry                 | refused |
| enter   | restart            | an older run             | the older run ends here, a new one starts |
| enter   | restart            | a newer entry            | the run starts, and ends at the newer one |
| enter   | always             | anything else            | a run starts |
| exit    | any                | runs started by then     | they end here |
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from todoke_scheduler.domain.enrolment import Enrolment
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
    """What an enter trigger comes to: the run it starts (or why not), and the older runs as they now end."""

    started: Enrolment | None
    ended: tuple[Enrolment, ...] = ()
    refusal: str | None = None


def enter(marks: Marks, active: Iterable[Enrolment], trigger: Trigger, published: PublishedCampaign) -> Entry:
    """Decide an enter trigger. `active` are the journey's running enrolments."""
    runs = tuple(active)
    again = published.campaign.enter.again
    if marks.exited_at is not None and marks.exited_at >= trigger.at:
        return Entry(None, refusal="over before it began: an exit at or after this entry is known")
    if again == "never" and marks.entered_at is not None:
        return Entry(None, refusal="entered before, and the campaign says never again")
    run = _run(trigger, published)
    if any(other.id == run.id for other in runs):
        return Entry(None, refusal="the same entry again")
    if again != "restart":
        return Entry(run)
    older = tuple(other.ending(trigger.at, "restarted") for other in runs if other.started_at < trigger.at)
    newer = [other.started_at for other in runs if other.started_at > trigger.at]
    if not newer and marks.entered_at is not None and marks.entered_at > trigger.at:
        newer = [marks.entered_at]
    return Entry(run.ending(min(newer), "restarted") if newer else run, older)


def leave(active: Iterable[Enrolment], trigger: Trigger) -> list[Enrolment]:
    """The runs that an exit trigger ends: those started by then, of its key or (key "") of every key."""
    return [
        run.ending(trigger.at, "exit")
        for run in active
        if run.started_at <= trigger.at and trigger.key in ("", run.key)
    ]


def _run(trigger: Trigger, published: PublishedCampaign) -> Enrolment:
    return Enrolment(
        id=enrolment_id(trigger.campaign, trigger.person, trigger.key, trigger.at),
        campaign=trigger.campaign,
        version=published.version,
        shop=trigger.shop,
        person=trigger.person,
        key=trigger.key,
        started_at=trigger.at,
        due_at=trigger.at,
        context=trigger.context,
    )
